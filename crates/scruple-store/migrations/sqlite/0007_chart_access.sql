-- Who opened which chart: the index of the ledger and of the logs of other systems, what is asked of it, and complaints.
-- The same tables stand in migrations/postgres under the same number and name. What chart_access has of the ledger is derived, with access_release
-- and access_cursor: it can be emptied and made again. What it has of other logs is not.

CREATE TABLE access_source (
    id         BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('gateway', 'csv', 'fhir', 'atna')),
    code       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE access_cursor (
    log     INTEGER NOT NULL UNIQUE,
    next_at INTEGER NOT NULL CHECK (next_at >= 0)
) STRICT;

CREATE TABLE access_release (
    log          INTEGER NOT NULL,
    release_id   BLOB    NOT NULL,
    facts_sealed BLOB    NOT NULL,
    PRIMARY KEY (log, release_id)
) STRICT;

CREATE TABLE chart_access (
    id             BLOB    NOT NULL PRIMARY KEY,
    source         BLOB    NOT NULL REFERENCES access_source (id),
    once_blind     BLOB    NOT NULL UNIQUE,
    at             INTEGER NOT NULL,
    patient_blind  BLOB    NOT NULL,
    patient_sealed BLOB    NOT NULL,
    person         BLOB    REFERENCES person (id),
    actor_blind    BLOB    NOT NULL,
    actor_sealed   BLOB    NOT NULL,
    role           TEXT,
    purpose        TEXT,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('opened', 'nothing', 'refused')),
    basis          TEXT    NOT NULL CHECK (basis IN ('encounter', 'appointment', 'care_team', 'panel', 'asked', 'declared', 'emergency',
                                                  'inquiry', 'role', 'assumed', 'unknown')),
    grant_id       BLOB,
    elevation      BLOB,
    entry          INTEGER,
    facts_sealed   BLOB    NOT NULL
) STRICT;

CREATE INDEX chart_access_patient ON chart_access (patient_blind, at, id);

CREATE INDEX chart_access_person ON chart_access (person, at, id);

CREATE INDEX chart_access_actor ON chart_access (actor_blind, at, id);

CREATE INDEX chart_access_grant ON chart_access (grant_id, at, id) WHERE grant_id IS NOT NULL;

CREATE INDEX chart_access_elevation ON chart_access (elevation, at, id) WHERE elevation IS NOT NULL;

CREATE INDEX chart_access_source ON chart_access (source, at);

CREATE TABLE log_import (
    id             BLOB    NOT NULL PRIMARY KEY,
    source         BLOB    NOT NULL REFERENCES access_source (id),
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    lines          INTEGER NOT NULL CHECK (lines >= 0),
    added          INTEGER NOT NULL CHECK (added >= 0),
    known          INTEGER NOT NULL CHECK (known >= 0),
    refused        INTEGER NOT NULL CHECK (refused >= 0),
    unknown_people INTEGER NOT NULL CHECK (unknown_people >= 0),
    CHECK (ended_at IS NULL OR lines = added + known + refused)
) STRICT;

CREATE INDEX log_import_source ON log_import (source, id);

CREATE TABLE log_refusal (
    id          BLOB    NOT NULL PRIMARY KEY,
    log_import  BLOB    NOT NULL REFERENCES log_import (id),
    line        INTEGER NOT NULL CHECK (line >= 1),
    field       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    line_sealed BLOB    NOT NULL
) STRICT;

CREATE INDEX log_refusal_import ON log_refusal (log_import, line);

CREATE TABLE chart_question (
    id             BLOB    NOT NULL PRIMARY KEY,
    patient_blind  BLOB    NOT NULL,
    patient_sealed BLOB    NOT NULL,
    keys_sealed    BLOB    NOT NULL,
    from_at        INTEGER NOT NULL,
    until_at       INTEGER NOT NULL,
    cause          TEXT    NOT NULL CHECK (cause IN ('complaint', 'patient', 'routine', 'incident', 'other')),
    asked_by       BLOB    NOT NULL REFERENCES person (id),
    asked_at       INTEGER NOT NULL,
    CHECK (from_at < until_at)
) STRICT;

CREATE INDEX chart_question_patient ON chart_question (patient_blind, id);

CREATE TABLE chart_case (
    id               BLOB    NOT NULL PRIMARY KEY,
    question         BLOB    NOT NULL REFERENCES chart_question (id),
    reader           BLOB    NOT NULL REFERENCES person (id),
    about_from       INTEGER NOT NULL,
    about_until      INTEGER NOT NULL,
    complaint_sealed BLOB    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('open', 'asked', 'answered', 'permitted', 'not_permitted', 'lettered')),
    finding          TEXT    CHECK (finding IN ('permitted', 'not_permitted')),
    opened_by        BLOB    NOT NULL REFERENCES person (id),
    opened_at        INTEGER NOT NULL,
    asked_by         BLOB    REFERENCES person (id),
    asked_at         INTEGER,
    answer_sealed    BLOB,
    answered_at      INTEGER,
    decided_by       BLOB    REFERENCES person (id),
    decided_at       INTEGER,
    rationale_sealed BLOB,
    letter_sealed    BLOB,
    lettered_by      BLOB    REFERENCES person (id),
    lettered_at      INTEGER,
    version          INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT chart_case_two_people CHECK (decided_by <> reader AND asked_by <> reader AND opened_by <> reader AND lettered_by <> reader),
    CHECK (about_from <= about_until),
    CHECK ((asked_by IS NULL) = (asked_at IS NULL)),
    CHECK ((answer_sealed IS NULL) = (answered_at IS NULL)),
    CHECK (answered_at IS NULL OR asked_at IS NOT NULL),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((decided_by IS NULL) = (rationale_sealed IS NULL)),
    CHECK ((decided_by IS NULL) = (finding IS NULL)),
    CHECK ((lettered_by IS NULL) = (lettered_at IS NULL)),
    CHECK ((lettered_by IS NULL) = (letter_sealed IS NULL)),
    CHECK ((state = 'open') = (asked_by IS NULL AND decided_by IS NULL)),
    CHECK (state <> 'asked' OR (asked_by IS NOT NULL AND answered_at IS NULL)),
    CHECK (state <> 'answered' OR answered_at IS NOT NULL),
    CHECK ((state IN ('permitted', 'not_permitted', 'lettered')) = (decided_by IS NOT NULL)),
    CHECK ((state = 'lettered') = (lettered_by IS NOT NULL)),
    CHECK (state NOT IN ('permitted', 'not_permitted') OR state = finding)
) STRICT;

CREATE INDEX chart_case_question ON chart_case (question, id);

CREATE INDEX chart_case_reader ON chart_case (reader, state, id);

CREATE INDEX chart_case_state ON chart_case (state, id);

CREATE TRIGGER chart_access_no_update BEFORE UPDATE ON chart_access
BEGIN SELECT RAISE(ABORT, 'chart_access is never changed'); END;

CREATE TRIGGER chart_access_keeps_logs BEFORE DELETE ON chart_access
WHEN OLD.entry IS NULL
BEGIN SELECT RAISE(ABORT, 'chart_access keeps what other logs tell'); END;

CREATE TRIGGER chart_question_no_update BEFORE UPDATE ON chart_question
BEGIN SELECT RAISE(ABORT, 'chart_question is append-only'); END;

CREATE TRIGGER chart_question_no_delete BEFORE DELETE ON chart_question
BEGIN SELECT RAISE(ABORT, 'chart_question is append-only'); END;

CREATE TRIGGER log_import_goes_on BEFORE UPDATE ON log_import
WHEN OLD.ended_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.source <> OLD.source OR NEW.started_at <> OLD.started_at
BEGIN SELECT RAISE(ABORT, 'log_import ends once'); END;

CREATE TRIGGER log_import_no_delete BEFORE DELETE ON log_import
BEGIN SELECT RAISE(ABORT, 'log_import is never deleted'); END;

CREATE TRIGGER log_refusal_no_update BEFORE UPDATE ON log_refusal
BEGIN SELECT RAISE(ABORT, 'log_refusal is append-only'); END;

CREATE TRIGGER log_refusal_no_delete BEFORE DELETE ON log_refusal
BEGIN SELECT RAISE(ABORT, 'log_refusal is append-only'); END;

CREATE TRIGGER chart_case_begins BEFORE INSERT ON chart_case
WHEN NEW.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'chart_case begins open'); END;

CREATE TRIGGER chart_case_moves BEFORE UPDATE ON chart_case
WHEN NOT ((OLD.state = 'open' AND NEW.state IN ('asked', 'permitted', 'not_permitted'))
  OR (OLD.state = 'asked' AND NEW.state IN ('answered', 'permitted', 'not_permitted'))
  OR (OLD.state = 'answered' AND NEW.state IN ('asked', 'permitted', 'not_permitted'))
  OR (OLD.state IN ('permitted', 'not_permitted') AND NEW.state = 'lettered'))
BEGIN SELECT RAISE(ABORT, 'chart_case does not go this way'); END;

CREATE TRIGGER chart_case_keeps BEFORE UPDATE ON chart_case
WHEN NEW.id <> OLD.id OR NEW.question <> OLD.question OR NEW.reader <> OLD.reader OR NEW.about_from <> OLD.about_from
  OR NEW.about_until <> OLD.about_until OR NEW.complaint_sealed <> OLD.complaint_sealed OR NEW.opened_by <> OLD.opened_by
  OR NEW.opened_at <> OLD.opened_at
  OR (NEW.state <> 'answered' AND NEW.answer_sealed IS DISTINCT FROM OLD.answer_sealed)
  OR (OLD.finding IS NOT NULL AND (NEW.finding IS DISTINCT FROM OLD.finding OR NEW.decided_by IS DISTINCT FROM OLD.decided_by
                                   OR NEW.rationale_sealed IS DISTINCT FROM OLD.rationale_sealed))
BEGIN SELECT RAISE(ABORT, 'chart_case keeps what was said'); END;

CREATE TRIGGER chart_case_no_delete BEFORE DELETE ON chart_case
BEGIN SELECT RAISE(ABORT, 'chart_case is never deleted'); END;

-- INSERT OR REPLACE deletes without firing a delete trigger: what it would replace is refused first.
CREATE TRIGGER chart_question_no_replace BEFORE INSERT ON chart_question
WHEN EXISTS (SELECT 1 FROM chart_question AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: chart_question exists'); END;

CREATE TRIGGER log_import_no_replace BEFORE INSERT ON log_import
WHEN EXISTS (SELECT 1 FROM log_import AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: log_import exists'); END;

CREATE TRIGGER log_refusal_no_replace BEFORE INSERT ON log_refusal
WHEN EXISTS (SELECT 1 FROM log_refusal AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: log_refusal exists'); END;

CREATE TRIGGER chart_case_no_replace BEFORE INSERT ON chart_case
WHEN EXISTS (SELECT 1 FROM chart_case AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: chart_case exists'); END;
