-- Requests of the API that name a key are done once: the claim of the key, and the answer to be given again.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE idempotency_key (
    id            BLOB    NOT NULL PRIMARY KEY,
    person        BLOB    NOT NULL REFERENCES person (id),
    key_hash      BLOB    NOT NULL,
    request_hash  BLOB    NOT NULL,
    claimed_at    INTEGER NOT NULL,
    ends_at       INTEGER NOT NULL,
    answer_sealed BLOB,
    UNIQUE (person, key_hash),
    CHECK (claimed_at < ends_at)
) STRICT;

CREATE INDEX idempotency_key_over ON idempotency_key (ends_at);
