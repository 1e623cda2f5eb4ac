-- Requests of the API that name a key are done once: the claim of the key, and the answer to be given again.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE idempotency_key (
    id            UUID    NOT NULL PRIMARY KEY,
    person        UUID    NOT NULL REFERENCES person (id),
    key_hash      BYTEA   NOT NULL,
    request_hash  BYTEA   NOT NULL,
    claimed_at    BIGINT NOT NULL,
    ends_at       BIGINT NOT NULL,
    answer_sealed BYTEA,
    UNIQUE (person, key_hash),
    CHECK (claimed_at < ends_at)
);

CREATE INDEX idempotency_key_over ON idempotency_key (ends_at);
