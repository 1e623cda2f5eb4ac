-- Access tasks: oversight by managers, support of systems; their patients, and fields that were shown unmasked for a time.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE access_task (
    id                   BLOB   NOT NULL PRIMARY KEY,
    person               BLOB   NOT NULL REFERENCES person (id),
    role                 TEXT NOT NULL,
    kind                 TEXT NOT NULL
        CHECK (kind IN ('quality_review', 'complaint', 'staffing', 'audit', 'support', 'remote_support')),
    system               TEXT,
    ticket_blind         BLOB ,
    ticket_sealed        BLOB ,
    minutes              INTEGER  NOT NULL CHECK (minutes >= 1),
    justification_sealed BLOB  NOT NULL,
    approvers            TEXT NOT NULL,
    minutes_max          INTEGER  NOT NULL,
    idle_minutes         INTEGER  NOT NULL CHECK (idle_minutes >= 1),
    decide_hours         INTEGER  NOT NULL CHECK (decide_hours >= 1),
    step_up              INTEGER  NOT NULL CHECK (step_up IN (0, 1)),
    submitted_at         INTEGER  NOT NULL,
    state                TEXT NOT NULL
        CHECK (state IN ('pending', 'approved', 'active', 'ended', 'denied', 'expired', 'cancelled')),
    approved_by          BLOB   REFERENCES person (id),
    approved_at          INTEGER,
    began_at             INTEGER,
    seen_at              INTEGER,
    ended_by             BLOB   REFERENCES person (id),
    ended_at             INTEGER,
    cause                TEXT CHECK (cause IN ('closed', 'idle', 'limit', 'killed', 'ticket_closed')),
    decided_by           BLOB   REFERENCES person (id),
    decided_at           INTEGER,
    comment_sealed       BLOB ,
    recording_sealed     BLOB ,
    recording_sha256     BLOB ,
    version              INTEGER  NOT NULL CHECK (version >= 1),
    CONSTRAINT access_task_two_people CHECK (approved_by <> person AND (state <> 'denied' OR decided_by <> person)),
    CONSTRAINT access_task_limit CHECK (minutes <= minutes_max),
    CONSTRAINT access_task_ticket CHECK ((kind IN ('support', 'remote_support')) = (system IS NOT NULL)),
    CONSTRAINT access_task_within CHECK (ended_at <= began_at + minutes * 60000000),
    CHECK ((system IS NULL) = (ticket_blind IS NULL)),
    CHECK ((system IS NULL) = (ticket_sealed IS NULL)),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK (state NOT IN ('pending', 'denied') OR approved_at IS NULL),
    CHECK (state NOT IN ('approved', 'active', 'ended') OR approved_at IS NOT NULL),
    CHECK ((state IN ('active', 'ended')) = (began_at IS NOT NULL)),
    CHECK ((began_at IS NULL) = (seen_at IS NULL)),
    CHECK (began_at >= approved_at AND seen_at >= began_at),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (cause IS NULL)),
    CHECK (ended_at >= began_at),
    CHECK (ended_at IS NOT NULL OR ended_by IS NULL),
    CHECK (cause IS NULL OR (cause IN ('idle', 'limit')) = (ended_by IS NULL)),
    CHECK (cause <> 'closed' OR ended_by = person),
    CHECK ((state IN ('denied', 'expired', 'cancelled')) = (decided_at IS NOT NULL)),
    CHECK ((state IN ('denied', 'cancelled')) = (decided_by IS NOT NULL)),
    CHECK ((state = 'denied') = (comment_sealed IS NOT NULL)),
    CHECK ((recording_sealed IS NULL) = (recording_sha256 IS NULL)),
    CHECK (length(recording_sha256) = 32),
    CHECK (recording_sealed IS NULL OR (state = 'ended' AND kind = 'remote_support')),
    CONSTRAINT access_task_recorded CHECK (kind <> 'remote_support' OR cause IS NULL OR cause <> 'closed' OR recording_sealed IS NOT NULL)
) STRICT;

CREATE INDEX access_task_state ON access_task (state, id);

CREATE INDEX access_task_person ON access_task (person, id);

CREATE INDEX access_task_ticket_index ON access_task (ticket_blind, id) WHERE ticket_blind IS NOT NULL;

CREATE TABLE task_patient (
    task           BLOB    NOT NULL REFERENCES access_task (id),
    patient_blind  BLOB  NOT NULL,
    patient_sealed BLOB  NOT NULL,
    PRIMARY KEY (task, patient_blind)
) STRICT;

CREATE INDEX task_patient_patient ON task_patient (patient_blind, task);

CREATE TABLE task_unmask (
    id             BLOB    NOT NULL PRIMARY KEY,
    task           BLOB    NOT NULL REFERENCES access_task (id),
    patient_blind  BLOB  NOT NULL,
    patient_sealed BLOB  NOT NULL,
    category       TEXT  NOT NULL,
    reason_sealed  BLOB  NOT NULL,
    starts_at      INTEGER   NOT NULL,
    ends_at        INTEGER   NOT NULL,
    CONSTRAINT task_unmask_window CHECK (starts_at < ends_at AND ends_at <= starts_at + 600000000),
    FOREIGN KEY (task, patient_blind) REFERENCES task_patient (task, patient_blind)
) STRICT;

CREATE INDEX task_unmask_task ON task_unmask (task, ends_at);

CREATE INDEX chart_access_at ON chart_access (at, id);

CREATE TRIGGER access_task_moves BEFORE UPDATE ON access_task
WHEN NOT ((OLD.state = 'pending' AND NEW.state IN ('approved', 'denied', 'expired', 'cancelled'))
  OR (OLD.state = 'approved' AND NEW.state IN ('active', 'expired', 'cancelled'))
  OR (OLD.state = 'active' AND NEW.state IN ('active', 'ended'))
  OR (OLD.state = 'ended' AND NEW.state = 'ended' AND OLD.recording_sealed IS NULL AND NEW.recording_sealed IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'access_task does not go this way'); END;

CREATE TRIGGER access_task_keeps BEFORE UPDATE ON access_task
WHEN NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role OR NEW.kind <> OLD.kind
  OR NEW.minutes <> OLD.minutes OR NEW.approvers <> OLD.approvers OR NEW.minutes_max <> OLD.minutes_max OR NEW.idle_minutes <> OLD.idle_minutes
  OR NEW.decide_hours <> OLD.decide_hours OR NEW.step_up <> OLD.step_up OR NEW.submitted_at <> OLD.submitted_at OR NEW.justification_sealed <> OLD.justification_sealed
  OR NEW.system IS DISTINCT FROM OLD.system OR NEW.ticket_blind IS DISTINCT FROM OLD.ticket_blind
  OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
  OR (OLD.approved_at IS NOT NULL AND NEW.approved_at IS DISTINCT FROM OLD.approved_at)
  OR (OLD.began_at IS NOT NULL AND NEW.began_at IS DISTINCT FROM OLD.began_at)
  OR (OLD.ended_by IS NOT NULL AND NEW.ended_by IS DISTINCT FROM OLD.ended_by)
  OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
  OR (OLD.cause IS NOT NULL AND NEW.cause IS DISTINCT FROM OLD.cause)
  OR (OLD.decided_at IS NOT NULL AND NEW.decided_at IS DISTINCT FROM OLD.decided_at)
  OR (OLD.recording_sha256 IS NOT NULL AND NEW.recording_sha256 IS DISTINCT FROM OLD.recording_sha256)
  OR NEW.seen_at < OLD.seen_at
BEGIN SELECT RAISE(ABORT, 'access_task keeps what was asked for and what has happened'); END;

CREATE TRIGGER access_task_begins BEFORE INSERT ON access_task
WHEN NEW.state <> 'pending'
BEGIN SELECT RAISE(ABORT, 'access_task begins pending'); END;

CREATE TRIGGER task_patient_no_update BEFORE UPDATE ON task_patient
BEGIN SELECT RAISE(ABORT, 'task_patient is append-only'); END;

CREATE TRIGGER task_unmask_no_update BEFORE UPDATE ON task_unmask
BEGIN SELECT RAISE(ABORT, 'task_unmask is append-only'); END;

CREATE TRIGGER access_task_of_patients BEFORE UPDATE ON access_task
WHEN (NEW.state = 'approved') AND NOT EXISTS (SELECT 1 FROM task_patient WHERE task_patient.task = NEW.id)
BEGIN SELECT RAISE(ABORT, 'access_task names no patient'); END;

CREATE TRIGGER task_patient_asked BEFORE INSERT ON task_patient
WHEN NOT EXISTS (SELECT 1 FROM access_task WHERE access_task.id = NEW.task AND access_task.state = 'pending' AND access_task.version = 1)
BEGIN SELECT RAISE(ABORT, 'task_patient is of a task that is asked for'); END;

CREATE TRIGGER task_unmask_active BEFORE INSERT ON task_unmask
WHEN NOT EXISTS (SELECT 1 FROM access_task
             WHERE access_task.id = NEW.task AND access_task.state = 'active' AND access_task.system IS NOT NULL
               AND access_task.began_at <= NEW.starts_at)
BEGIN SELECT RAISE(ABORT, 'task_unmask is of an active support task'); END;

CREATE TRIGGER access_task_no_delete BEFORE DELETE ON access_task
BEGIN SELECT RAISE(ABORT, 'access_task is never deleted'); END;

CREATE TRIGGER task_patient_no_delete BEFORE DELETE ON task_patient
BEGIN SELECT RAISE(ABORT, 'task_patient is never deleted'); END;

CREATE TRIGGER task_unmask_no_delete BEFORE DELETE ON task_unmask
BEGIN SELECT RAISE(ABORT, 'task_unmask is never deleted'); END;

CREATE TRIGGER access_task_no_replace BEFORE INSERT ON access_task
WHEN EXISTS (SELECT 1 FROM access_task AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: access_task exists'); END;

CREATE TRIGGER task_patient_no_replace BEFORE INSERT ON task_patient
WHEN EXISTS (SELECT 1 FROM task_patient AS old WHERE old.task = NEW.task AND old.patient_blind = NEW.patient_blind)
BEGIN SELECT RAISE(ABORT, 'conflict: task_patient exists'); END;

CREATE TRIGGER task_unmask_no_replace BEFORE INSERT ON task_unmask
WHEN EXISTS (SELECT 1 FROM task_unmask AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: task_unmask exists'); END;
