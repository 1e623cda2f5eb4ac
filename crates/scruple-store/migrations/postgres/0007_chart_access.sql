-- Who opened which chart: the index of the ledger and of the logs of other systems, what is asked of it, and complaints.
-- The same tables stand in migrations/sqlite under the same number and name. What chart_access has of the ledger is derived, with access_release
-- and access_cursor: it can be emptied and made again. What it has of other logs is not.

CREATE TABLE access_source (
    id         UUID   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('gateway', 'csv', 'fhir', 'atna')),
    code       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_cursor (
    log     BIGINT NOT NULL UNIQUE,
    next_at BIGINT NOT NULL CHECK (next_at >= 0)
);

CREATE TABLE access_release (
    log          BIGINT NOT NULL,
    release_id   UUID   NOT NULL,
    facts_sealed BYTEA  NOT NULL,
    PRIMARY KEY (log, release_id)
);

CREATE TABLE chart_access (
    id             UUID   NOT NULL PRIMARY KEY,
    source         UUID   NOT NULL REFERENCES access_source (id),
    once_blind     BYTEA  NOT NULL UNIQUE,
    at             BIGINT NOT NULL,
    patient_blind  BYTEA  NOT NULL,
    patient_sealed BYTEA  NOT NULL,
    person         UUID   REFERENCES person (id),
    actor_blind    BYTEA  NOT NULL,
    actor_sealed   BYTEA  NOT NULL,
    role           TEXT,
    purpose        TEXT,
    outcome        TEXT   NOT NULL CHECK (outcome IN ('opened', 'nothing', 'refused')),
    basis          TEXT   NOT NULL CHECK (basis IN ('encounter', 'appointment', 'care_team', 'panel', 'asked', 'declared', 'emergency',
                                                  'inquiry', 'role', 'assumed', 'unknown')),
    grant_id       UUID,
    elevation      UUID,
    entry          BIGINT,
    facts_sealed   BYTEA  NOT NULL
);

CREATE INDEX chart_access_patient ON chart_access (patient_blind, at, id);

CREATE INDEX chart_access_person ON chart_access (person, at, id);

CREATE INDEX chart_access_actor ON chart_access (actor_blind, at, id);

CREATE INDEX chart_access_grant ON chart_access (grant_id, at, id) WHERE grant_id IS NOT NULL;

CREATE INDEX chart_access_elevation ON chart_access (elevation, at, id) WHERE elevation IS NOT NULL;

CREATE INDEX chart_access_source ON chart_access (source, at);

CREATE TABLE log_import (
    id             UUID   NOT NULL PRIMARY KEY,
    source         UUID   NOT NULL REFERENCES access_source (id),
    started_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    lines          BIGINT NOT NULL CHECK (lines >= 0),
    added          BIGINT NOT NULL CHECK (added >= 0),
    known          BIGINT NOT NULL CHECK (known >= 0),
    refused        BIGINT NOT NULL CHECK (refused >= 0),
    unknown_people BIGINT NOT NULL CHECK (unknown_people >= 0),
    CHECK (ended_at IS NULL OR lines = added + known + refused)
);

CREATE INDEX log_import_source ON log_import (source, id);

CREATE TABLE log_refusal (
    id          UUID   NOT NULL PRIMARY KEY,
    log_import  UUID   NOT NULL REFERENCES log_import (id),
    line        BIGINT NOT NULL CHECK (line >= 1),
    field       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    line_sealed BYTEA  NOT NULL
);

CREATE INDEX log_refusal_import ON log_refusal (log_import, line);

CREATE TABLE chart_question (
    id             UUID   NOT NULL PRIMARY KEY,
    patient_blind  BYTEA  NOT NULL,
    patient_sealed BYTEA  NOT NULL,
    keys_sealed    BYTEA  NOT NULL,
    from_at        BIGINT NOT NULL,
    until_at       BIGINT NOT NULL,
    cause          TEXT   NOT NULL CHECK (cause IN ('complaint', 'patient', 'routine', 'incident', 'other')),
    asked_by       UUID   NOT NULL REFERENCES person (id),
    asked_at       BIGINT NOT NULL,
    CHECK (from_at < until_at)
);

CREATE INDEX chart_question_patient ON chart_question (patient_blind, id);

CREATE TABLE chart_case (
    id               UUID   NOT NULL PRIMARY KEY,
    question         UUID   NOT NULL REFERENCES chart_question (id),
    reader           UUID   NOT NULL REFERENCES person (id),
    about_from       BIGINT NOT NULL,
    about_until      BIGINT NOT NULL,
    complaint_sealed BYTEA  NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('open', 'asked', 'answered', 'permitted', 'not_permitted', 'lettered')),
    finding          TEXT   CHECK (finding IN ('permitted', 'not_permitted')),
    opened_by        UUID   NOT NULL REFERENCES person (id),
    opened_at        BIGINT NOT NULL,
    asked_by         UUID   REFERENCES person (id),
    asked_at         BIGINT,
    answer_sealed    BYTEA,
    answered_at      BIGINT,
    decided_by       UUID   REFERENCES person (id),
    decided_at       BIGINT,
    rationale_sealed BYTEA,
    letter_sealed    BYTEA,
    lettered_by      UUID   REFERENCES person (id),
    lettered_at      BIGINT,
    version          BIGINT NOT NULL CHECK (version >= 1),
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
);

CREATE INDEX chart_case_question ON chart_case (question, id);

CREATE INDEX chart_case_reader ON chart_case (reader, state, id);

CREATE INDEX chart_case_state ON chart_case (state, id);

CREATE FUNCTION chart_access_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_access is never changed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_access_no_update BEFORE UPDATE ON chart_access FOR EACH ROW
EXECUTE FUNCTION chart_access_no_update();

CREATE FUNCTION chart_access_keeps_logs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_access keeps what other logs tell' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_access_keeps_logs BEFORE DELETE ON chart_access FOR EACH ROW
WHEN (OLD.entry IS NULL)
EXECUTE FUNCTION chart_access_keeps_logs();

CREATE FUNCTION chart_question_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_question is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_question_no_update BEFORE UPDATE ON chart_question FOR EACH ROW
EXECUTE FUNCTION chart_question_no_update();

CREATE FUNCTION chart_question_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_question is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_question_no_delete BEFORE DELETE OR TRUNCATE ON chart_question
EXECUTE FUNCTION chart_question_no_delete();

CREATE FUNCTION log_import_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'log_import ends once' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER log_import_goes_on BEFORE UPDATE ON log_import FOR EACH ROW
WHEN (OLD.ended_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.source <> OLD.source OR NEW.started_at <> OLD.started_at)
EXECUTE FUNCTION log_import_goes_on();

CREATE FUNCTION log_import_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'log_import is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER log_import_no_delete BEFORE DELETE OR TRUNCATE ON log_import
EXECUTE FUNCTION log_import_no_delete();

CREATE FUNCTION log_refusal_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'log_refusal is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER log_refusal_no_update BEFORE UPDATE ON log_refusal FOR EACH ROW
EXECUTE FUNCTION log_refusal_no_update();

CREATE FUNCTION log_refusal_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'log_refusal is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER log_refusal_no_delete BEFORE DELETE OR TRUNCATE ON log_refusal
EXECUTE FUNCTION log_refusal_no_delete();

CREATE FUNCTION chart_case_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_case begins open' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_case_begins BEFORE INSERT ON chart_case FOR EACH ROW
WHEN (NEW.state <> 'open')
EXECUTE FUNCTION chart_case_begins();

CREATE FUNCTION chart_case_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_case does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_case_moves BEFORE UPDATE ON chart_case FOR EACH ROW
WHEN (NOT ((OLD.state = 'open' AND NEW.state IN ('asked', 'permitted', 'not_permitted'))
  OR (OLD.state = 'asked' AND NEW.state IN ('answered', 'permitted', 'not_permitted'))
  OR (OLD.state = 'answered' AND NEW.state IN ('asked', 'permitted', 'not_permitted'))
  OR (OLD.state IN ('permitted', 'not_permitted') AND NEW.state = 'lettered')))
EXECUTE FUNCTION chart_case_moves();

CREATE FUNCTION chart_case_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_case keeps what was said' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_case_keeps BEFORE UPDATE ON chart_case FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.question <> OLD.question OR NEW.reader <> OLD.reader OR NEW.about_from <> OLD.about_from
  OR NEW.about_until <> OLD.about_until OR NEW.complaint_sealed <> OLD.complaint_sealed OR NEW.opened_by <> OLD.opened_by
  OR NEW.opened_at <> OLD.opened_at
  OR (NEW.state <> 'answered' AND NEW.answer_sealed IS DISTINCT FROM OLD.answer_sealed)
  OR (OLD.finding IS NOT NULL AND (NEW.finding IS DISTINCT FROM OLD.finding OR NEW.decided_by IS DISTINCT FROM OLD.decided_by
                                   OR NEW.rationale_sealed IS DISTINCT FROM OLD.rationale_sealed)))
EXECUTE FUNCTION chart_case_keeps();

CREATE FUNCTION chart_case_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'chart_case is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER chart_case_no_delete BEFORE DELETE OR TRUNCATE ON chart_case
EXECUTE FUNCTION chart_case_no_delete();
