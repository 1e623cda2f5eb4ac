-- The life of an account: when it was last used, that it lies idle, and what is registered of those that systems have.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE account_use (
    person  BLOB    NOT NULL PRIMARY KEY REFERENCES person (id),
    used_at INTEGER NOT NULL
) STRICT;

-- Of the time before there is no record: nobody lay idle in it.
INSERT INTO account_use (person, used_at) SELECT id, CAST(strftime('%s', 'now') AS INTEGER) * 1000000 FROM person;

CREATE TRIGGER account_use_forward BEFORE UPDATE ON account_use
WHEN NEW.person <> OLD.person OR NEW.used_at < OLD.used_at
BEGIN SELECT RAISE(ABORT, 'account_use goes forward only'); END;

CREATE TRIGGER account_use_no_delete BEFORE DELETE ON account_use
BEGIN SELECT RAISE(ABORT, 'account_use is never deleted'); END;

CREATE TABLE dormancy (
    id          BLOB    NOT NULL PRIMARY KEY,
    person      BLOB    NOT NULL REFERENCES person (id),
    used_at     INTEGER NOT NULL,
    noticed_at  INTEGER NOT NULL,
    disabled_at INTEGER NOT NULL,
    outcome     TEXT    CHECK (outcome IN ('used', 'restored', 'left')),
    closed_by   BLOB    REFERENCES person (id),
    closed_at   INTEGER,
    version     INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT dormancy_second_person CHECK (closed_by <> person),
    CHECK (used_at <= noticed_at AND noticed_at < disabled_at),
    CHECK ((outcome IS NULL) = (closed_at IS NULL)),
    CHECK (outcome IS NULL OR (outcome = 'used') = (closed_by IS NULL)),
    CHECK (outcome IS NOT NULL OR closed_by IS NULL),
    CHECK (outcome IS NULL OR outcome <> 'used' OR closed_at < disabled_at),
    CHECK (outcome IS NULL OR outcome <> 'restored' OR closed_at >= disabled_at)
) STRICT;

CREATE UNIQUE INDEX dormancy_one_open ON dormancy (person) WHERE closed_at IS NULL;

CREATE INDEX dormancy_person ON dormancy (person, disabled_at);

CREATE TRIGGER dormancy_close_only BEFORE UPDATE ON dormancy
WHEN OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person
  OR NEW.used_at <> OLD.used_at OR NEW.noticed_at <> OLD.noticed_at OR NEW.disabled_at <> OLD.disabled_at
BEGIN SELECT RAISE(ABORT, 'dormancy can only be closed'); END;

CREATE TRIGGER dormancy_no_delete BEFORE DELETE ON dormancy
BEGIN SELECT RAISE(ABORT, 'dormancy is never deleted'); END;

-- INSERT OR REPLACE deletes without firing a delete trigger: what it would replace is refused first.
CREATE TRIGGER dormancy_no_replace BEFORE INSERT ON dormancy
WHEN EXISTS (SELECT 1 FROM dormancy AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM dormancy AS old WHERE old.person = NEW.person AND old.closed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: dormancy exists'); END;

CREATE TABLE account (
    person         BLOB    NOT NULL PRIMARY KEY REFERENCES person (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('service', 'vendor', 'emergency')),
    owner          BLOB    REFERENCES person (id),
    purpose_sealed BLOB    NOT NULL,
    scopes         TEXT    NOT NULL CHECK (scopes <> ''),
    rotate_by      INTEGER NOT NULL,
    review_days    INTEGER NOT NULL CHECK (review_days BETWEEN 1 AND 366),
    reviewed_at    INTEGER NOT NULL,
    ends_at        INTEGER NOT NULL,
    version        INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT account_second_person CHECK (owner <> person)
) STRICT;

CREATE INDEX account_owner ON account (owner);

CREATE TRIGGER account_goes_on BEFORE UPDATE ON account
WHEN NEW.person <> OLD.person OR NEW.version <> OLD.version + 1 OR NEW.reviewed_at < OLD.reviewed_at
BEGIN SELECT RAISE(ABORT, 'account goes on version by version'); END;

CREATE TRIGGER account_no_delete BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'account is never deleted'); END;

CREATE TRIGGER account_no_replace BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM account AS old WHERE old.person = NEW.person)
BEGIN SELECT RAISE(ABORT, 'conflict: account exists'); END;
