//! A COMMIT whose answer is lost on the way: PostgreSQL only, behind a proxy that cuts the line.

use crate::support::{SHARD, TestDb, connect, with_db};
use scruple_store::{Engine, Store, StoreError, Subjects, find_person, insert_person};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the proxy does with the next COMMIT.
const PASS: u8 = 0;
/// The server commits, its answer is lost.
const LOSE_ANSWER: u8 = 1;
/// The server never hears of it.
const LOSE_COMMIT: u8 = 2;
/// The server commits, its answer is lost, and it cannot be reached any more.
const LOSE_SERVER: u8 = 3;
/// Every connection is refused.
const REFUSE: u8 = 4;

/// A store whose connections go through a proxy.
async fn behind_proxy(db: &TestDb) -> (Store, Arc<AtomicU8>) {
    let (login, rest) = db.address.split_once('@').unwrap();
    let (host, name) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{login}@{}/{name}", listener.local_addr().unwrap());
    let fault = Arc::new(AtomicU8::new(PASS));
    let (host, shared) = (host.to_owned(), Arc::clone(&fault));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if shared.load(Ordering::SeqCst) == REFUSE {
                continue;
            }
            let server = TcpStream::connect(&host).await.unwrap();
            tokio::spawn(pipe(client, server, Arc::clone(&shared)));
        }
    });
    (connect(&address).await, fault)
}

async fn pipe(client: TcpStream, server: TcpStream, fault: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut asked = vec![0; 65_536];
    let mut answered = vec![0; 65_536];
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = asked[..length].windows(6).any(|word| word == b"COMMIT");
                let fault = if is_commit { next(&fault) } else { PASS };
                if fault == LOSE_COMMIT {
                    return;
                }
                to_server.write_all(&asked[..length]).await.unwrap();
                if fault != PASS {
                    // The answer arrives here, so that the server has committed, and goes no further.
                    assert!(from_server.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if to_client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The fault of this COMMIT; one happens once.
fn next(fault: &AtomicU8) -> u8 {
    let now = fault.load(Ordering::SeqCst);
    fault.store(if now == LOSE_SERVER { REFUSE } else { PASS }, Ordering::SeqCst);
    now
}

async fn commit_with(db: &TestDb, fault: u8) -> (Result<i64, StoreError>, bool) {
    let (store, switch) = behind_proxy(db).await;
    let person = db.new_person("ana");
    let event = db.event(1, &db.aggregate(), Subjects::none());
    let id = event.id;
    let mut tx = store.begin().await.unwrap();
    insert_person(&mut tx, &person).await.unwrap();
    switch.store(fault, Ordering::SeqCst);
    let result = tx.commit(&db.lease, &[event]).await;
    let is_there = find_person(&mut db.read().await, person.id).await.unwrap().is_some();
    assert_eq!(db.store.find_recorded(SHARD, id).await.unwrap().is_some(), is_there, "state and event are one");
    (result.map(|positions| positions[0].seq), is_there)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_read_again_and_found() {
    with_db(Engine::Postgres, async |db| {
        let (result, is_there) = commit_with(db, LOSE_ANSWER).await;
        assert!(matches!(result, Ok(1)) && is_there, "{result:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_read_again_and_not_found() {
    with_db(Engine::Postgres, async |db| {
        let (result, is_there) = commit_with(db, LOSE_COMMIT).await;
        assert!(matches!(result, Err(StoreError::NotCommitted(_))) && !is_there, "{result:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_cannot_be_read_again_is_said_to_be_unknown() {
    with_db(Engine::Postgres, async |db| {
        let (result, is_there) = commit_with(db, LOSE_SERVER).await;
        assert!(matches!(result, Err(StoreError::CommitUnknown { .. })) && is_there, "{result:?}");
    })
    .await;
}
