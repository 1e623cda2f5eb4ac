-- Signing in: one-time links to enrol, credentials, sessions, ceremonies under way, and failures.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE enrolment (
    id          BLOB    NOT NULL PRIMARY KEY,
    person      BLOB    NOT NULL REFERENCES person (id),
    secret_hash BLOB   NOT NULL UNIQUE,
    made_by     BLOB    NOT NULL REFERENCES person (id),
    made_at     INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    used_at     INTEGER,
    closed_at   INTEGER,
    CHECK (made_at < ends_at),
    CHECK (used_at IS NULL OR used_at < ends_at),
    CHECK (used_at IS NULL OR closed_at IS NULL)
) STRICT;

CREATE TABLE credential (
    id            BLOB    NOT NULL PRIMARY KEY,
    person        BLOB    NOT NULL REFERENCES person (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('passkey', 'totp', 'recovery', 'oidc')),
    lookup_blind  BLOB   NOT NULL UNIQUE,
    secret_sealed BLOB   NOT NULL,
    added_at      INTEGER NOT NULL,
    last_step     INTEGER,
    removed_at    INTEGER,
    version       INTEGER NOT NULL CHECK (version >= 1),
    CHECK (last_step IS NULL OR kind = 'totp')
) STRICT;

CREATE INDEX credential_person ON credential (person, id);

CREATE TABLE session (
    id               BLOB    NOT NULL PRIMARY KEY,
    person           BLOB    NOT NULL REFERENCES person (id),
    token_hash       BLOB   NOT NULL UNIQUE,
    device           TEXT    NOT NULL CHECK (device IN ('personal', 'shared', 'phone')),
    method           TEXT    NOT NULL CHECK (method IN ('passkey', 'totp', 'recovery', 'oidc', 'enrolment')),
    started_at       INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    ended_at         INTEGER,
    ended_by         BLOB    REFERENCES person (id),
    end_reason       TEXT,
    CHECK (started_at <= seen_at AND started_at <= authenticated_at),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CHECK (ended_by IS NULL OR ended_at IS NOT NULL)
) STRICT;

CREATE INDEX session_person ON session (person, id);

CREATE TABLE ceremony (
    id           BLOB    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL CHECK (kind IN ('register', 'sign_in', 'step_up', 'totp', 'oidc')),
    person       BLOB    REFERENCES person (id),
    state_sealed BLOB   NOT NULL,
    ends_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX ceremony_over ON ceremony (ends_at);

CREATE TABLE sign_in_failure (
    person   BLOB    NOT NULL PRIMARY KEY REFERENCES person (id),
    failures INTEGER NOT NULL CHECK (failures >= 1),
    since    INTEGER NOT NULL
) STRICT;

CREATE TRIGGER enrolment_once BEFORE UPDATE ON enrolment
WHEN OLD.used_at IS NOT NULL OR OLD.closed_at IS NOT NULL OR (NEW.used_at IS NULL AND NEW.closed_at IS NULL)
  OR NEW.person <> OLD.person OR NEW.secret_hash <> OLD.secret_hash OR NEW.made_by <> OLD.made_by OR NEW.ends_at <> OLD.ends_at
BEGIN SELECT RAISE(ABORT, 'enrolment can only be used once'); END;

CREATE TRIGGER credential_keeps BEFORE UPDATE ON credential
WHEN OLD.removed_at IS NOT NULL OR NEW.person <> OLD.person OR NEW.kind <> OLD.kind OR NEW.lookup_blind <> OLD.lookup_blind
  OR (OLD.last_step IS NOT NULL AND (NEW.last_step IS NULL OR NEW.last_step < OLD.last_step))
BEGIN SELECT RAISE(ABORT, 'credential keeps whose it is'); END;

CREATE TRIGGER session_goes_forward BEFORE UPDATE ON session
WHEN OLD.ended_at IS NOT NULL OR NEW.person <> OLD.person OR NEW.token_hash <> OLD.token_hash OR NEW.device <> OLD.device
  OR NEW.started_at <> OLD.started_at OR NEW.seen_at < OLD.seen_at OR NEW.authenticated_at < OLD.authenticated_at
BEGIN SELECT RAISE(ABORT, 'session goes forward only'); END;

CREATE TRIGGER enrolment_no_delete BEFORE DELETE ON enrolment
BEGIN SELECT RAISE(ABORT, 'enrolment is never deleted'); END;

CREATE TRIGGER credential_no_delete BEFORE DELETE ON credential
BEGIN SELECT RAISE(ABORT, 'credential is never deleted'); END;

CREATE TRIGGER session_no_delete BEFORE DELETE ON session
BEGIN SELECT RAISE(ABORT, 'session is never deleted'); END;

CREATE TRIGGER enrolment_no_replace BEFORE INSERT ON enrolment
WHEN EXISTS (SELECT 1 FROM enrolment AS old WHERE old.id = NEW.id OR old.secret_hash = NEW.secret_hash)
BEGIN SELECT RAISE(ABORT, 'conflict: enrolment exists'); END;

CREATE TRIGGER credential_no_replace BEFORE INSERT ON credential
WHEN EXISTS (SELECT 1 FROM credential AS old WHERE old.id = NEW.id OR old.lookup_blind = NEW.lookup_blind)
BEGIN SELECT RAISE(ABORT, 'conflict: credential exists'); END;

CREATE TRIGGER session_no_replace BEFORE INSERT ON session
WHEN EXISTS (SELECT 1 FROM session AS old WHERE old.id = NEW.id OR old.token_hash = NEW.token_hash)
BEGIN SELECT RAISE(ABORT, 'conflict: session exists'); END;
