//! Rows of keys under which requests of the API are done once.
//!
//! A key is claimed before anything is done under it; of two at once one wins. What was done is kept for whoever asks again. A
//! claim that nothing came of can be taken over after a while: whoever held it was killed.

use crate::{Store, StoreError};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::Person;
use uuid::Uuid;

pub(crate) const ANSWER: &str = "idempotency_key.answer";

/// Marks the id of a claim.
#[derive(Debug)]
pub enum IdempotencyKey {}

/// A key that somebody names.
#[derive(Clone, Copy, Debug)]
pub struct NewClaim {
    /// The id of the claim; what is made under it can have this id, so that it is found again.
    pub id: Id<IdempotencyKey>,
    /// Who asks.
    pub person: Id<Person>,
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// SHA-256 of what is asked.
    pub request_hash: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// Until when the answer is kept.
    pub ends_at: Timestamp,
    /// Claims of before that came to nothing.
    pub stale_before: Timestamp,
}

/// What becomes of a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claimed {
    /// It is the asker's, under this id: his own, or that of one who was killed. In that case it may have been done.
    Won {
        /// The id.
        id: Id<IdempotencyKey>,
        /// Somebody has tried before.
        again: bool,
    },
    /// It was done: the answer.
    Done(Phi<Vec<u8>>),
    /// Somebody is at it.
    Busy,
    /// The key came with another request.
    Other,
}

row! { struct KeyRow { id: Uuid, request_hash: Vec<u8>, claimed_at: i64, answer_sealed: Option<Vec<u8>> } }

impl Store {
    /// Claims a key.
    ///
    /// # Errors
    /// The database failed, or a kept answer does not open.
    pub async fn claim_key(&self, claim: &NewClaim) -> Result<Claimed, StoreError> {
        const SQL_OVER: &str = "DELETE FROM idempotency_key WHERE ends_at <= $1";
        const SQL_INSERT: &str = "INSERT INTO idempotency_key (id, person, key_hash, request_hash, claimed_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person, key_hash) DO NOTHING";
        const SQL_FIND: &str = "SELECT id, request_hash, claimed_at, answer_sealed FROM idempotency_key
                                WHERE person = $1 AND key_hash = $2";
        const SQL_TAKE: &str = "UPDATE idempotency_key SET claimed_at = $3
                                WHERE id = $1 AND claimed_at = $2 AND answer_sealed IS NULL";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_OVER).bind(claim.at.micros()).execute(conn).await?;
        });
        let inserted = on_engine!(tx, |conn| {
            sqlx::query(SQL_INSERT)
                .bind(claim.id.uuid())
                .bind(claim.person.uuid())
                .bind(claim.key_hash.as_slice())
                .bind(claim.request_hash.as_slice())
                .bind(claim.at.micros())
                .bind(claim.ends_at.micros())
                .execute(conn)
                .await?
                .rows_affected()
        });
        if inserted == 1 {
            tx.conn.commit().await?;
            return Ok(Claimed::Won { id: claim.id, again: false });
        }
        let row: Option<KeyRow> = on_engine!(tx, |conn| {
            sqlx::query_as(SQL_FIND)
                .bind(claim.person.uuid())
                .bind(claim.key_hash.as_slice())
                .fetch_optional(conn)
                .await?
        });
        // It was given back meanwhile.
        let Some(row) = row else { return Ok(Claimed::Busy) };
        if row.request_hash != claim.request_hash {
            return Ok(Claimed::Other);
        }
        if let Some(answer) = row.answer_sealed {
            return tx.open(ANSWER, row.id, &answer).map(Claimed::Done);
        }
        if row.claimed_at > claim.stale_before.micros() {
            return Ok(Claimed::Busy);
        }
        let taken = on_engine!(tx, |conn| {
            sqlx::query(SQL_TAKE)
                .bind(row.id)
                .bind(row.claimed_at)
                .bind(claim.at.micros())
                .execute(conn)
                .await?
                .rows_affected()
        });
        tx.conn.commit().await?;
        Ok(if taken == 1 { Claimed::Won { id: Id::from_uuid(row.id), again: true } } else { Claimed::Busy })
    }

    /// Keeps what was answered under a claim.
    ///
    /// # Errors
    /// The database failed, or there is no key to seal with.
    pub async fn keep_answer(&self, id: Id<IdempotencyKey>, answer: &Phi<Vec<u8>>) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE idempotency_key SET answer_sealed = $2 WHERE id = $1";
        let mut tx = self.begin().await?;
        let sealed = tx.seal(ANSWER, id.uuid(), answer.expose())?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(id.uuid()).bind(sealed).execute(conn).await?;
        });
        Ok(tx.conn.commit().await?)
    }

    /// Gives a claim back under which nothing was done.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_key(&self, id: Id<IdempotencyKey>) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM idempotency_key WHERE id = $1 AND answer_sealed IS NULL";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(id.uuid()).execute(conn).await?;
        });
        Ok(tx.conn.commit().await?)
    }
}
