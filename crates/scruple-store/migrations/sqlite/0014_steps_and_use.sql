-- Steps that people take before the first record: courses, and that they have read the rules. Append-only: the last one counts.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE step_done (
    id       BLOB    NOT NULL PRIMARY KEY,
    person   BLOB    NOT NULL REFERENCES person (id),
    step     TEXT    NOT NULL CHECK (length(step) BETWEEN 1 AND 64),
    kind     TEXT    NOT NULL CHECK (kind IN ('training', 'acknowledgement')),
    done_at  INTEGER NOT NULL,
    by_person BLOB  NOT NULL REFERENCES person (id),
    noted_at INTEGER NOT NULL,
    UNIQUE (person, step, done_at),
    CONSTRAINT step_done_whose CHECK ((kind = 'acknowledgement') = (by_person = person)),
    CHECK (done_at <= noted_at)
) STRICT;

CREATE TRIGGER step_done_no_update BEFORE UPDATE ON step_done
BEGIN SELECT RAISE(ABORT, 'step_done is append-only'); END;

CREATE TRIGGER step_done_no_delete BEFORE DELETE ON step_done
BEGIN SELECT RAISE(ABORT, 'step_done is append-only'); END;

CREATE TRIGGER step_done_no_replace BEFORE INSERT ON step_done
WHEN EXISTS (SELECT 1 FROM step_done AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM step_done AS old WHERE old.person = NEW.person AND old.step = NEW.step AND old.done_at = NEW.done_at)
BEGIN SELECT RAISE(ABORT, 'conflict: step_done exists'); END;

-- Roles that are held and not used: from ends_at on they give nothing, unless the notice was closed before with another outcome.
CREATE TABLE unused_notice (
    id               BLOB    NOT NULL PRIMARY KEY,
    grant_id         BLOB    NOT NULL REFERENCES role_grant (id),
    person           BLOB    NOT NULL REFERENCES person (id),
    since            INTEGER NOT NULL,
    noticed_at       INTEGER NOT NULL,
    ends_at          INTEGER NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('noticed', 'objected', 'used', 'kept', 'taken')),
    objection_sealed BLOB,
    closed_by        BLOB    REFERENCES person (id),
    closed_at        INTEGER,
    version          INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT unused_notice_second_person CHECK (state <> 'kept' OR closed_by <> person),
    CHECK (since <= noticed_at AND noticed_at < ends_at),
    CHECK ((state IN ('noticed', 'objected')) = (closed_at IS NULL)),
    CHECK ((state IN ('kept', 'taken')) = (closed_by IS NOT NULL)),
    CHECK (state <> 'noticed' OR objection_sealed IS NULL),
    CHECK (state NOT IN ('objected', 'kept') OR objection_sealed IS NOT NULL),
    CHECK (state NOT IN ('used', 'kept') OR closed_at < ends_at)
) STRICT;

CREATE UNIQUE INDEX unused_notice_one_open ON unused_notice (grant_id) WHERE closed_at IS NULL;

CREATE INDEX unused_notice_grant ON unused_notice (grant_id, ends_at);

CREATE INDEX unused_notice_person ON unused_notice (person, id);

CREATE TRIGGER unused_notice_begins BEFORE INSERT ON unused_notice
WHEN NEW.state <> 'noticed' OR NEW.version <> 1
BEGIN SELECT RAISE(ABORT, 'unused_notice begins noticed'); END;

CREATE TRIGGER unused_notice_goes_on BEFORE UPDATE ON unused_notice
WHEN OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.grant_id <> OLD.grant_id OR NEW.person <> OLD.person
  OR NEW.since <> OLD.since OR NEW.noticed_at <> OLD.noticed_at OR NEW.ends_at < OLD.ends_at
  OR NEW.version <> OLD.version + 1 OR NEW.state = 'noticed' OR (NEW.state = 'objected' AND OLD.state <> 'noticed')
  OR (NEW.state = 'kept' AND OLD.state <> 'objected') OR (NEW.ends_at <> OLD.ends_at AND NEW.state <> 'objected')
BEGIN SELECT RAISE(ABORT, 'unused_notice does not go this way'); END;

CREATE TRIGGER unused_notice_no_delete BEFORE DELETE ON unused_notice
BEGIN SELECT RAISE(ABORT, 'unused_notice is never deleted'); END;

CREATE TRIGGER unused_notice_no_replace BEFORE INSERT ON unused_notice
WHEN EXISTS (SELECT 1 FROM unused_notice AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM unused_notice AS old WHERE old.grant_id = NEW.grant_id AND old.closed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: unused_notice exists'); END;
