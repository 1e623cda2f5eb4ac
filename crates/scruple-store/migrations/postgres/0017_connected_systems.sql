-- What other systems really grant (RB-07, JX-04, IL-11): systems that are connected, the rights they know, what was read of them last,
-- and where that is not what is held here.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE connected_system (
    id            UUID NOT NULL PRIMARY KEY,
    code          TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    kind          TEXT NOT NULL CHECK (kind IN ('scim', 'file')),
    owner         UUID NOT NULL REFERENCES person (id),
    removes_drift BIGINT NOT NULL CHECK (removes_drift IN (0, 1)),
    set_by        UUID NOT NULL REFERENCES person (id),
    set_at        BIGINT NOT NULL,
    wanted_at     BIGINT,
    looked_at     BIGINT,
    read_at       BIGINT,
    failure       TEXT CHECK (failure IN ('unreachable', 'timeout', 'refused', 'busy', 'malformed', 'incomplete', 'empty', 'too_large', 'not_configured')),
    claimed_until BIGINT NOT NULL DEFAULT 0,
    version       BIGINT NOT NULL CHECK (version >= 1),
    CHECK (failure IS NULL OR looked_at IS NOT NULL),
    CHECK (read_at IS NULL OR looked_at IS NOT NULL)
);

CREATE TABLE system_right (
    id             UUID NOT NULL PRIMARY KEY,
    system         UUID NOT NULL REFERENCES connected_system (id),
    there_blind    BYTEA NOT NULL,
    there_sealed   BYTEA NOT NULL,
    meaning        TEXT NOT NULL CHECK (meaning IN ('undecided', 'role', 'nothing')),
    role           TEXT CHECK (length(role) BETWEEN 1 AND 64),
    decided_by     UUID REFERENCES person (id),
    decided_at     BIGINT,
    version        BIGINT NOT NULL CHECK (version >= 1),
    UNIQUE (system, there_blind),
    CHECK ((meaning = 'role') = (role IS NOT NULL)),
    CHECK ((meaning = 'undecided') = (decided_by IS NULL)),
    CHECK ((meaning = 'undecided') = (decided_at IS NULL))
);

CREATE INDEX system_right_role ON system_right (role, system);

-- What the last whole reading showed: a row for each account that can be used, without a right, and for each right of an account.
CREATE TABLE system_holding (
    id             UUID NOT NULL PRIMARY KEY,
    system         UUID NOT NULL REFERENCES connected_system (id),
    account_blind  BYTEA NOT NULL,
    account_sealed BYTEA NOT NULL,
    person         UUID REFERENCES person (id),
    right_id       UUID REFERENCES system_right (id),
    read_at        BIGINT NOT NULL
);

CREATE INDEX system_holding_system ON system_holding (system, id);

CREATE INDEX system_holding_person ON system_holding (person, system);

CREATE UNIQUE INDEX system_holding_once ON system_holding (system, account_blind, right_id) WHERE right_id IS NOT NULL;

CREATE UNIQUE INDEX system_holding_account ON system_holding (system, account_blind) WHERE right_id IS NULL;

CREATE TABLE drift (
    id             UUID NOT NULL PRIMARY KEY,
    system         UUID NOT NULL REFERENCES connected_system (id),
    kind           TEXT NOT NULL CHECK (kind IN ('extra', 'orphan', 'missing', 'undecided', 'stale')),
    cause          TEXT NOT NULL CHECK (cause IN ('drift', 'ended')),
    about_blind    BYTEA NOT NULL,
    account_sealed BYTEA,
    person         UUID REFERENCES person (id),
    right_id       UUID REFERENCES system_right (id),
    opened_at      BIGINT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('open', 'asked', 'excepted', 'confirmed', 'closed')),
    asked_by       UUID REFERENCES person (id),
    asked_at       BIGINT,
    attempts       BIGINT NOT NULL CHECK (attempts >= 0),
    tried_at       BIGINT,
    next_at        BIGINT,
    failure        TEXT CHECK (failure IN ('unreachable', 'timeout', 'refused', 'busy', 'still_there')),
    excepted_by    UUID REFERENCES person (id),
    excepted_at    BIGINT,
    reason_sealed  BYTEA,
    until_at       BIGINT,
    read_at        BIGINT,
    closing        TEXT CHECK (closing IN ('gone', 'right')),
    closed_at      BIGINT,
    version        BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT drift_second_person CHECK (excepted_by IS NULL OR person IS NULL OR excepted_by <> person),
    CONSTRAINT drift_confirmed_is_read CHECK ((state = 'confirmed') = (read_at IS NOT NULL)),
    CHECK (read_at IS NULL OR (read_at >= asked_at AND (tried_at IS NULL OR read_at >= tried_at) AND closed_at >= read_at)),
    CHECK ((kind IN ('extra', 'orphan', 'missing')) = (account_sealed IS NOT NULL)),
    CHECK ((kind IN ('extra', 'missing', 'undecided')) = (right_id IS NOT NULL)),
    CHECK (person IS NULL OR account_sealed IS NOT NULL),
    CHECK (cause = 'drift' OR kind IN ('extra', 'orphan')),
    CHECK ((state IN ('asked', 'confirmed')) = (asked_at IS NOT NULL)),
    CHECK ((asked_at IS NULL) = (next_at IS NULL)),
    CHECK (asked_by IS NULL OR asked_at IS NOT NULL),
    CHECK (asked_at IS NULL OR kind IN ('extra', 'orphan')),
    CHECK (asked_at IS NOT NULL OR (attempts = 0 AND failure IS NULL)),
    CHECK ((attempts > 0) = (tried_at IS NOT NULL)),
    CHECK (tried_at IS NULL OR tried_at >= asked_at),
    CHECK ((state = 'excepted') = (excepted_by IS NOT NULL)),
    CHECK ((excepted_by IS NULL) = (excepted_at IS NULL)),
    CHECK ((excepted_by IS NULL) = (reason_sealed IS NULL)),
    CHECK ((excepted_by IS NULL) = (until_at IS NULL)),
    CHECK (until_at IS NULL OR until_at > excepted_at),
    CHECK (state <> 'excepted' OR cause = 'drift'),
    CHECK ((state = 'closed') = (closing IS NOT NULL)),
    CHECK ((state IN ('confirmed', 'closed')) = (closed_at IS NOT NULL))
);

CREATE UNIQUE INDEX drift_one_open ON drift (system, about_blind) WHERE closed_at IS NULL;

CREATE INDEX drift_system ON drift (system, state, next_at);

CREATE INDEX drift_person ON drift (person, id);

CREATE FUNCTION connected_system_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'connected_system does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER connected_system_goes_on BEFORE UPDATE ON connected_system FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.code <> OLD.code OR NEW.version < OLD.version OR NEW.version > OLD.version + 1
  OR (NEW.version = OLD.version AND (NEW.owner <> OLD.owner OR NEW.removes_drift <> OLD.removes_drift OR NEW.kind <> OLD.kind))
  OR (OLD.read_at IS NOT NULL AND (NEW.read_at IS NULL OR NEW.read_at < OLD.read_at)))
EXECUTE FUNCTION connected_system_goes_on();

CREATE FUNCTION system_right_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'system_right does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER system_right_goes_on BEFORE UPDATE ON system_right FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.system <> OLD.system OR NEW.there_blind <> OLD.there_blind OR NEW.version <> OLD.version + 1
  OR (NEW.meaning = 'undecided' AND OLD.meaning <> 'undecided'))
EXECUTE FUNCTION system_right_goes_on();

CREATE FUNCTION drift_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'drift begins open or asked' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER drift_begins BEFORE INSERT ON drift FOR EACH ROW
WHEN (NEW.state NOT IN ('open', 'asked') OR NEW.version <> 1 OR NEW.attempts <> 0)
EXECUTE FUNCTION drift_begins();

CREATE FUNCTION drift_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'drift does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER drift_goes_on BEFORE UPDATE ON drift FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.system <> OLD.system OR NEW.kind <> OLD.kind OR NEW.about_blind <> OLD.about_blind
  OR NEW.opened_at <> OLD.opened_at OR NEW.version <> OLD.version + 1 OR (OLD.cause = 'ended' AND NEW.cause <> 'ended')
  OR (NEW.state = 'open' AND OLD.state NOT IN ('open', 'excepted')) OR (NEW.state = 'excepted' AND OLD.state NOT IN ('open', 'excepted'))
  OR (NEW.state = 'confirmed' AND OLD.state <> 'asked')
  OR (OLD.state = 'asked' AND NEW.state IN ('asked', 'confirmed')
      AND (NEW.asked_at <> OLD.asked_at OR NEW.attempts < OLD.attempts OR NEW.attempts > OLD.attempts + 1)))
EXECUTE FUNCTION drift_goes_on();

CREATE FUNCTION connected_system_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'connected_system is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER connected_system_no_delete BEFORE DELETE OR TRUNCATE ON connected_system
EXECUTE FUNCTION connected_system_no_delete();

CREATE FUNCTION system_right_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'system_right is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER system_right_no_delete BEFORE DELETE OR TRUNCATE ON system_right
EXECUTE FUNCTION system_right_no_delete();

CREATE FUNCTION drift_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'drift is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER drift_no_delete BEFORE DELETE OR TRUNCATE ON drift
EXECUTE FUNCTION drift_no_delete();
