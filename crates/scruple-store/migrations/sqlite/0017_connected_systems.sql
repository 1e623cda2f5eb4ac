-- What other systems really grant (RB-07, JX-04, IL-11): systems that are connected, the rights they know, what was read of them last,
-- and where that is not what is held here.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE connected_system (
    id            BLOB NOT NULL PRIMARY KEY,
    code          TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    kind          TEXT NOT NULL CHECK (kind IN ('scim', 'file')),
    owner         BLOB NOT NULL REFERENCES person (id),
    removes_drift INTEGER NOT NULL CHECK (removes_drift IN (0, 1)),
    set_by        BLOB NOT NULL REFERENCES person (id),
    set_at        INTEGER NOT NULL,
    wanted_at     INTEGER,
    looked_at     INTEGER,
    read_at       INTEGER,
    failure       TEXT CHECK (failure IN ('unreachable', 'timeout', 'refused', 'busy', 'malformed', 'incomplete', 'empty', 'too_large', 'not_configured')),
    claimed_until INTEGER NOT NULL DEFAULT 0,
    version       INTEGER NOT NULL CHECK (version >= 1),
    CHECK (failure IS NULL OR looked_at IS NOT NULL),
    CHECK (read_at IS NULL OR looked_at IS NOT NULL)
) STRICT;

CREATE TABLE system_right (
    id             BLOB NOT NULL PRIMARY KEY,
    system         BLOB NOT NULL REFERENCES connected_system (id),
    there_blind    BLOB NOT NULL,
    there_sealed   BLOB NOT NULL,
    meaning        TEXT NOT NULL CHECK (meaning IN ('undecided', 'role', 'nothing')),
    role           TEXT CHECK (length(role) BETWEEN 1 AND 64),
    decided_by     BLOB REFERENCES person (id),
    decided_at     INTEGER,
    version        INTEGER NOT NULL CHECK (version >= 1),
    UNIQUE (system, there_blind),
    CHECK ((meaning = 'role') = (role IS NOT NULL)),
    CHECK ((meaning = 'undecided') = (decided_by IS NULL)),
    CHECK ((meaning = 'undecided') = (decided_at IS NULL))
) STRICT;

CREATE INDEX system_right_role ON system_right (role, system);

-- What the last whole reading showed: a row for each account that can be used, without a right, and for each right of an account.
CREATE TABLE system_holding (
    id             BLOB NOT NULL PRIMARY KEY,
    system         BLOB NOT NULL REFERENCES connected_system (id),
    account_blind  BLOB NOT NULL,
    account_sealed BLOB NOT NULL,
    person         BLOB REFERENCES person (id),
    right_id       BLOB REFERENCES system_right (id),
    read_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX system_holding_system ON system_holding (system, id);

CREATE INDEX system_holding_person ON system_holding (person, system);

CREATE UNIQUE INDEX system_holding_once ON system_holding (system, account_blind, right_id) WHERE right_id IS NOT NULL;

CREATE UNIQUE INDEX system_holding_account ON system_holding (system, account_blind) WHERE right_id IS NULL;

CREATE TABLE drift (
    id             BLOB NOT NULL PRIMARY KEY,
    system         BLOB NOT NULL REFERENCES connected_system (id),
    kind           TEXT NOT NULL CHECK (kind IN ('extra', 'orphan', 'missing', 'undecided', 'stale')),
    cause          TEXT NOT NULL CHECK (cause IN ('drift', 'ended')),
    about_blind    BLOB NOT NULL,
    account_sealed BLOB,
    person         BLOB REFERENCES person (id),
    right_id       BLOB REFERENCES system_right (id),
    opened_at      INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('open', 'asked', 'excepted', 'confirmed', 'closed')),
    asked_by       BLOB REFERENCES person (id),
    asked_at       INTEGER,
    attempts       INTEGER NOT NULL CHECK (attempts >= 0),
    tried_at       INTEGER,
    next_at        INTEGER,
    failure        TEXT CHECK (failure IN ('unreachable', 'timeout', 'refused', 'busy', 'still_there')),
    excepted_by    BLOB REFERENCES person (id),
    excepted_at    INTEGER,
    reason_sealed  BLOB,
    until_at       INTEGER,
    read_at        INTEGER,
    closing        TEXT CHECK (closing IN ('gone', 'right')),
    closed_at      INTEGER,
    version        INTEGER NOT NULL CHECK (version >= 1),
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
) STRICT;

CREATE UNIQUE INDEX drift_one_open ON drift (system, about_blind) WHERE closed_at IS NULL;

CREATE INDEX drift_system ON drift (system, state, next_at);

CREATE INDEX drift_person ON drift (person, id);

CREATE TRIGGER connected_system_goes_on BEFORE UPDATE ON connected_system
WHEN NEW.id <> OLD.id OR NEW.code <> OLD.code OR NEW.version < OLD.version OR NEW.version > OLD.version + 1
  OR (NEW.version = OLD.version AND (NEW.owner <> OLD.owner OR NEW.removes_drift <> OLD.removes_drift OR NEW.kind <> OLD.kind))
  OR (OLD.read_at IS NOT NULL AND (NEW.read_at IS NULL OR NEW.read_at < OLD.read_at))
BEGIN SELECT RAISE(ABORT, 'connected_system does not go this way'); END;

CREATE TRIGGER system_right_goes_on BEFORE UPDATE ON system_right
WHEN NEW.id <> OLD.id OR NEW.system <> OLD.system OR NEW.there_blind <> OLD.there_blind OR NEW.version <> OLD.version + 1
  OR (NEW.meaning = 'undecided' AND OLD.meaning <> 'undecided')
BEGIN SELECT RAISE(ABORT, 'system_right does not go this way'); END;

CREATE TRIGGER drift_begins BEFORE INSERT ON drift
WHEN NEW.state NOT IN ('open', 'asked') OR NEW.version <> 1 OR NEW.attempts <> 0
BEGIN SELECT RAISE(ABORT, 'drift begins open or asked'); END;

CREATE TRIGGER drift_goes_on BEFORE UPDATE ON drift
WHEN OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.system <> OLD.system OR NEW.kind <> OLD.kind OR NEW.about_blind <> OLD.about_blind
  OR NEW.opened_at <> OLD.opened_at OR NEW.version <> OLD.version + 1 OR (OLD.cause = 'ended' AND NEW.cause <> 'ended')
  OR (NEW.state = 'open' AND OLD.state NOT IN ('open', 'excepted')) OR (NEW.state = 'excepted' AND OLD.state NOT IN ('open', 'excepted'))
  OR (NEW.state = 'confirmed' AND OLD.state <> 'asked')
  OR (OLD.state = 'asked' AND NEW.state IN ('asked', 'confirmed')
      AND (NEW.asked_at <> OLD.asked_at OR NEW.attempts < OLD.attempts OR NEW.attempts > OLD.attempts + 1))
BEGIN SELECT RAISE(ABORT, 'drift does not go this way'); END;

CREATE TRIGGER connected_system_no_delete BEFORE DELETE ON connected_system
BEGIN SELECT RAISE(ABORT, 'connected_system is never deleted'); END;

CREATE TRIGGER system_right_no_delete BEFORE DELETE ON system_right
BEGIN SELECT RAISE(ABORT, 'system_right is never deleted'); END;

CREATE TRIGGER drift_no_delete BEFORE DELETE ON drift
BEGIN SELECT RAISE(ABORT, 'drift is never deleted'); END;

CREATE TRIGGER connected_system_no_replace BEFORE INSERT ON connected_system
WHEN EXISTS (SELECT 1 FROM connected_system AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM connected_system AS old WHERE old.code = NEW.code)
BEGIN SELECT RAISE(ABORT, 'conflict: connected_system exists'); END;

CREATE TRIGGER system_right_no_replace BEFORE INSERT ON system_right
WHEN EXISTS (SELECT 1 FROM system_right AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM system_right AS old WHERE old.system = NEW.system AND old.there_blind = NEW.there_blind)
BEGIN SELECT RAISE(ABORT, 'conflict: system_right exists'); END;

CREATE TRIGGER drift_no_replace BEFORE INSERT ON drift
WHEN EXISTS (SELECT 1 FROM drift AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM drift AS old WHERE old.system = NEW.system AND old.about_blind = NEW.about_blind AND old.closed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: drift exists'); END;
