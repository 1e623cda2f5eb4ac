-- Access beyond what a person has: requests with their approvals, elevations, reviews of emergencies.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE access_request (
    id                   UUID    NOT NULL PRIMARY KEY,
    person               UUID    NOT NULL REFERENCES person (id),
    requested_by         UUID    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    purpose              TEXT,
    starts_at            BIGINT NOT NULL,
    ends_at              BIGINT NOT NULL,
    justification_sealed BYTEA   NOT NULL,
    ticket_sealed        BYTEA,
    needs                TEXT    NOT NULL,
    needed               BIGINT NOT NULL CHECK (needed BETWEEN 1 AND 4),
    hours_max            BIGINT NOT NULL,
    decide_hours         BIGINT NOT NULL,
    step_up              BIGINT NOT NULL CHECK (step_up IN (0, 1)),
    submitted_at         BIGINT NOT NULL,
    decide_by            BIGINT NOT NULL,
    state                TEXT    NOT NULL
        CHECK (state IN ('draft', 'pending', 'approved', 'denied', 'expired', 'cancelled', 'failed')),
    decided_by           UUID    REFERENCES person (id),
    decided_at           BIGINT,
    comment_sealed       BYTEA,
    version              BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT access_request_window CHECK (starts_at < ends_at),
    CONSTRAINT access_request_two_people CHECK (state <> 'denied' OR (decided_by <> person AND decided_by <> requested_by)),
    CHECK ((state IN ('draft', 'pending')) = (decided_at IS NULL)),
    CHECK ((state IN ('denied', 'cancelled')) = (decided_by IS NOT NULL)),
    CHECK ((state = 'denied') = (comment_sealed IS NOT NULL))
);

CREATE INDEX access_request_open ON access_request (state, decide_by);

CREATE INDEX access_request_person ON access_request (person, id);

CREATE INDEX access_request_by ON access_request (requested_by, id);

CREATE TABLE request_patient (
    request        UUID NOT NULL REFERENCES access_request (id),
    patient_blind  BYTEA NOT NULL,
    patient_sealed BYTEA NOT NULL,
    dropped        BIGINT NOT NULL CHECK (dropped IN (0, 1)),
    PRIMARY KEY (request, patient_blind)
);

CREATE TABLE request_approval (
    request    UUID    NOT NULL REFERENCES access_request (id),
    by_person  UUID    NOT NULL REFERENCES person (id),
    acting_for UUID    REFERENCES person (id),
    kind       TEXT    NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (request, by_person)
);

CREATE TABLE emergency_review (
    id               UUID    NOT NULL PRIMARY KEY,
    reader           UUID    NOT NULL REFERENCES person (id),
    opened_at        BIGINT NOT NULL,
    due_at           BIGINT NOT NULL,
    account_sealed   BYTEA,
    state            TEXT    NOT NULL CHECK (state IN ('open', 'asked', 'justified', 'unjustified', 'escalated')),
    moved_by         UUID    REFERENCES person (id),
    moved_at         BIGINT,
    rationale_sealed BYTEA,
    version          BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT emergency_review_two_people CHECK (moved_by <> reader),
    CHECK (opened_at < due_at),
    CHECK ((moved_by IS NULL) = (moved_at IS NULL)),
    CHECK ((state = 'open') = (moved_by IS NULL)),
    CHECK ((state IN ('justified', 'unjustified', 'escalated')) = (rationale_sealed IS NOT NULL))
);

CREATE INDEX emergency_review_open ON emergency_review (state, due_at);

CREATE TABLE elevation (
    id                   UUID    NOT NULL PRIMARY KEY,
    person               UUID    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    purpose              TEXT,
    patient_blind        BYTEA   NOT NULL,
    patient_sealed       BYTEA   NOT NULL,
    kind                 TEXT    NOT NULL CHECK (kind IN ('asked', 'declared', 'emergency')),
    reason               TEXT,
    request              UUID    REFERENCES access_request (id),
    review               UUID    UNIQUE REFERENCES emergency_review (id),
    starts_at            BIGINT NOT NULL,
    ends_at              BIGINT NOT NULL,
    granted_at           BIGINT NOT NULL,
    justification_sealed BYTEA   NOT NULL,
    ended_by             UUID    REFERENCES person (id),
    ended_at             BIGINT,
    version              BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT elevation_window CHECK (starts_at < ends_at),
    CONSTRAINT elevation_review CHECK ((kind = 'emergency') = (review IS NOT NULL)),
    CONSTRAINT elevation_request CHECK ((kind = 'asked') = (request IS NOT NULL)),
    CHECK ((kind = 'asked') = (reason IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (ended_at IS NULL OR ended_at >= granted_at)
);

CREATE INDEX elevation_person ON elevation (person, ends_at);

CREATE INDEX elevation_patient ON elevation (patient_blind, id);

CREATE FUNCTION access_request_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_moves BEFORE UPDATE ON access_request FOR EACH ROW
WHEN (NOT ((OLD.state = 'draft' AND NEW.state IN ('pending', 'cancelled'))
  OR (OLD.state = 'pending' AND NEW.state IN ('pending', 'approved', 'denied', 'expired', 'cancelled'))
  OR (OLD.state = 'approved' AND NEW.state = 'failed')))
EXECUTE FUNCTION access_request_moves();

CREATE FUNCTION access_request_narrows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request keeps what was asked for, or less' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_narrows BEFORE UPDATE ON access_request FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.requested_by <> OLD.requested_by OR NEW.role <> OLD.role
  OR NEW.starts_at < OLD.starts_at OR NEW.ends_at > OLD.ends_at
  OR (OLD.purpose IS NOT NULL AND NEW.purpose IS DISTINCT FROM OLD.purpose)
  OR NEW.needs <> OLD.needs OR NEW.needed <> OLD.needed OR NEW.hours_max <> OLD.hours_max
  OR NEW.decide_hours <> OLD.decide_hours OR NEW.step_up <> OLD.step_up)
EXECUTE FUNCTION access_request_narrows();

CREATE FUNCTION access_request_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT COUNT(*) FROM request_approval WHERE request_approval.request = NEW.id) < NEW.needed THEN
    RAISE EXCEPTION 'access_request lacks approvals' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER access_request_approved BEFORE UPDATE ON access_request FOR EACH ROW
WHEN (NEW.state = 'approved' AND OLD.state = 'pending')
EXECUTE FUNCTION access_request_approved();

CREATE FUNCTION access_request_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request begins as a draft or pending' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_begins BEFORE INSERT ON access_request FOR EACH ROW
WHEN (NEW.state NOT IN ('draft', 'pending'))
EXECUTE FUNCTION access_request_begins();

CREATE FUNCTION request_patient_drop_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_patient can only be dropped' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_patient_drop_only BEFORE UPDATE ON request_patient FOR EACH ROW
WHEN (OLD.dropped = 1 OR NEW.dropped = 0 OR NEW.request <> OLD.request OR NEW.patient_blind <> OLD.patient_blind
  OR NEW.patient_sealed <> OLD.patient_sealed)
EXECUTE FUNCTION request_patient_drop_only();

CREATE FUNCTION request_approval_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM access_request
             WHERE access_request.id = NEW.request
               AND (access_request.state <> 'pending'
                 OR access_request.person IN (NEW.by_person, NEW.acting_for)
                 OR access_request.requested_by IN (NEW.by_person, NEW.acting_for))) THEN
    RAISE EXCEPTION 'request_approval is of a pending request and a second person' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER request_approval_second_person BEFORE INSERT ON request_approval FOR EACH ROW
EXECUTE FUNCTION request_approval_second_person();

CREATE FUNCTION request_approval_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_approval is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_approval_no_update BEFORE UPDATE ON request_approval FOR EACH ROW
EXECUTE FUNCTION request_approval_no_update();

CREATE FUNCTION emergency_review_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'emergency_review does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER emergency_review_moves BEFORE UPDATE ON emergency_review FOR EACH ROW
WHEN (NOT ((OLD.state = 'open' AND NEW.state IN ('open', 'asked', 'justified', 'unjustified', 'escalated'))
  OR (OLD.state = 'asked' AND NEW.state IN ('open', 'justified', 'unjustified', 'escalated'))))
EXECUTE FUNCTION emergency_review_moves();

CREATE FUNCTION emergency_review_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'emergency_review keeps whose it is' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER emergency_review_keeps BEFORE UPDATE ON emergency_review FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.reader <> OLD.reader OR NEW.opened_at <> OLD.opened_at OR NEW.due_at <> OLD.due_at)
EXECUTE FUNCTION emergency_review_keeps();

CREATE FUNCTION emergency_review_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'emergency_review begins open' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER emergency_review_begins BEFORE INSERT ON emergency_review FOR EACH ROW
WHEN (NEW.state <> 'open')
EXECUTE FUNCTION emergency_review_begins();

CREATE FUNCTION elevation_end_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'elevation can only be ended' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER elevation_end_only BEFORE UPDATE ON elevation FOR EACH ROW
WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role OR NEW.purpose IS DISTINCT FROM OLD.purpose
  OR NEW.patient_blind <> OLD.patient_blind OR NEW.kind <> OLD.kind OR NEW.reason IS DISTINCT FROM OLD.reason
  OR NEW.request IS DISTINCT FROM OLD.request OR NEW.review IS DISTINCT FROM OLD.review
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at OR NEW.granted_at <> OLD.granted_at)
EXECUTE FUNCTION elevation_end_only();

CREATE FUNCTION elevation_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM access_request
                 WHERE access_request.id = NEW.request AND access_request.state = 'approved'
                   AND access_request.person = NEW.person AND access_request.role = NEW.role
                   AND access_request.ends_at >= NEW.ends_at) THEN
    RAISE EXCEPTION 'elevation has no approved request' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER elevation_approved BEFORE INSERT ON elevation FOR EACH ROW
WHEN (NEW.request IS NOT NULL)
EXECUTE FUNCTION elevation_approved();

CREATE FUNCTION elevation_of_a_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM request_patient
                 WHERE request_patient.request = NEW.request AND request_patient.patient_blind = NEW.patient_blind
                   AND request_patient.dropped = 0) THEN
    RAISE EXCEPTION 'elevation is of no patient of its request' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER elevation_of_a_patient BEFORE INSERT ON elevation FOR EACH ROW
WHEN (NEW.request IS NOT NULL)
EXECUTE FUNCTION elevation_of_a_patient();

CREATE FUNCTION elevation_reviewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM emergency_review
                 WHERE emergency_review.id = NEW.review AND emergency_review.reader = NEW.person) THEN
    RAISE EXCEPTION 'elevation has no review of its reader' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER elevation_reviewed BEFORE INSERT ON elevation FOR EACH ROW
WHEN (NEW.review IS NOT NULL)
EXECUTE FUNCTION elevation_reviewed();

CREATE FUNCTION access_request_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_no_delete BEFORE DELETE OR TRUNCATE ON access_request EXECUTE FUNCTION access_request_no_delete();

CREATE FUNCTION request_patient_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_patient is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_patient_no_delete BEFORE DELETE OR TRUNCATE ON request_patient EXECUTE FUNCTION request_patient_no_delete();

CREATE FUNCTION request_approval_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_approval is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_approval_no_delete BEFORE DELETE OR TRUNCATE ON request_approval EXECUTE FUNCTION request_approval_no_delete();

CREATE FUNCTION emergency_review_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'emergency_review is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER emergency_review_no_delete BEFORE DELETE OR TRUNCATE ON emergency_review EXECUTE FUNCTION emergency_review_no_delete();

CREATE FUNCTION elevation_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'elevation is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER elevation_no_delete BEFORE DELETE OR TRUNCATE ON elevation EXECUTE FUNCTION elevation_no_delete();
