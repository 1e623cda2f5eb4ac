-- Signing in: one-time links to enrol, credentials, sessions, ceremonies under way, and failures.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE enrolment (
    id          UUID    NOT NULL PRIMARY KEY,
    person      UUID    NOT NULL REFERENCES person (id),
    secret_hash BYTEA   NOT NULL UNIQUE,
    made_by     UUID    NOT NULL REFERENCES person (id),
    made_at     BIGINT NOT NULL,
    ends_at     BIGINT NOT NULL,
    used_at     BIGINT,
    closed_at   BIGINT,
    CHECK (made_at < ends_at),
    CHECK (used_at IS NULL OR used_at < ends_at),
    CHECK (used_at IS NULL OR closed_at IS NULL)
);

CREATE TABLE credential (
    id            UUID    NOT NULL PRIMARY KEY,
    person        UUID    NOT NULL REFERENCES person (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('passkey', 'totp', 'recovery', 'oidc')),
    lookup_blind  BYTEA   NOT NULL UNIQUE,
    secret_sealed BYTEA   NOT NULL,
    added_at      BIGINT NOT NULL,
    last_step     BIGINT,
    removed_at    BIGINT,
    version       BIGINT NOT NULL CHECK (version >= 1),
    CHECK (last_step IS NULL OR kind = 'totp')
);

CREATE INDEX credential_person ON credential (person, id);

CREATE TABLE session (
    id               UUID    NOT NULL PRIMARY KEY,
    person           UUID    NOT NULL REFERENCES person (id),
    token_hash       BYTEA   NOT NULL UNIQUE,
    device           TEXT    NOT NULL CHECK (device IN ('personal', 'shared', 'phone')),
    method           TEXT    NOT NULL CHECK (method IN ('passkey', 'totp', 'recovery', 'oidc', 'enrolment')),
    started_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    ended_at         BIGINT,
    ended_by         UUID    REFERENCES person (id),
    end_reason       TEXT,
    CHECK (started_at <= seen_at AND started_at <= authenticated_at),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CHECK (ended_by IS NULL OR ended_at IS NOT NULL)
);

CREATE INDEX session_person ON session (person, id);

CREATE TABLE ceremony (
    id           UUID    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL CHECK (kind IN ('register', 'sign_in', 'step_up', 'totp', 'oidc')),
    person       UUID    REFERENCES person (id),
    state_sealed BYTEA   NOT NULL,
    ends_at      BIGINT NOT NULL
);

CREATE INDEX ceremony_over ON ceremony (ends_at);

CREATE TABLE sign_in_failure (
    person   UUID    NOT NULL PRIMARY KEY REFERENCES person (id),
    failures BIGINT NOT NULL CHECK (failures >= 1),
    since    BIGINT NOT NULL
);

CREATE FUNCTION enrolment_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'enrolment can only be used once' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER enrolment_once BEFORE UPDATE ON enrolment FOR EACH ROW
WHEN (OLD.used_at IS NOT NULL OR OLD.closed_at IS NOT NULL OR (NEW.used_at IS NULL AND NEW.closed_at IS NULL)
  OR NEW.person <> OLD.person OR NEW.secret_hash <> OLD.secret_hash OR NEW.made_by <> OLD.made_by OR NEW.ends_at <> OLD.ends_at)
EXECUTE FUNCTION enrolment_once();

CREATE FUNCTION credential_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'credential keeps whose it is' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER credential_keeps BEFORE UPDATE ON credential FOR EACH ROW
WHEN (OLD.removed_at IS NOT NULL OR NEW.person <> OLD.person OR NEW.kind <> OLD.kind OR NEW.lookup_blind <> OLD.lookup_blind
  OR (OLD.last_step IS NOT NULL AND (NEW.last_step IS NULL OR NEW.last_step < OLD.last_step)))
EXECUTE FUNCTION credential_keeps();

CREATE FUNCTION session_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'session goes forward only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER session_goes_forward BEFORE UPDATE ON session FOR EACH ROW
WHEN (OLD.ended_at IS NOT NULL OR NEW.person <> OLD.person OR NEW.token_hash <> OLD.token_hash OR NEW.device <> OLD.device
  OR NEW.started_at <> OLD.started_at OR NEW.seen_at < OLD.seen_at OR NEW.authenticated_at < OLD.authenticated_at)
EXECUTE FUNCTION session_goes_forward();

CREATE FUNCTION enrolment_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'enrolment is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER enrolment_no_delete BEFORE DELETE OR TRUNCATE ON enrolment EXECUTE FUNCTION enrolment_no_delete();

CREATE FUNCTION credential_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'credential is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER credential_no_delete BEFORE DELETE OR TRUNCATE ON credential EXECUTE FUNCTION credential_no_delete();

CREATE FUNCTION session_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'session is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER session_no_delete BEFORE DELETE OR TRUNCATE ON session EXECUTE FUNCTION session_no_delete();
