-- Access beyond what a person has: requests with their approvals, elevations, reviews of emergencies.
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE access_request (
    id                   BLOB    NOT NULL PRIMARY KEY,
    person               BLOB    NOT NULL REFERENCES person (id),
    requested_by         BLOB    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    purpose              TEXT,
    starts_at            INTEGER NOT NULL,
    ends_at              INTEGER NOT NULL,
    justification_sealed BLOB   NOT NULL,
    ticket_sealed        BLOB,
    needs                TEXT    NOT NULL,
    needed               INTEGER NOT NULL CHECK (needed BETWEEN 1 AND 4),
    hours_max            INTEGER NOT NULL,
    decide_hours         INTEGER NOT NULL,
    step_up              INTEGER NOT NULL CHECK (step_up IN (0, 1)),
    submitted_at         INTEGER NOT NULL,
    decide_by            INTEGER NOT NULL,
    state                TEXT    NOT NULL
        CHECK (state IN ('draft', 'pending', 'approved', 'denied', 'expired', 'cancelled', 'failed')),
    decided_by           BLOB    REFERENCES person (id),
    decided_at           INTEGER,
    comment_sealed       BLOB,
    version              INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT access_request_window CHECK (starts_at < ends_at),
    CONSTRAINT access_request_two_people CHECK (state <> 'denied' OR (decided_by <> person AND decided_by <> requested_by)),
    CHECK ((state IN ('draft', 'pending')) = (decided_at IS NULL)),
    CHECK ((state IN ('denied', 'cancelled')) = (decided_by IS NOT NULL)),
    CHECK ((state = 'denied') = (comment_sealed IS NOT NULL))
) STRICT;

CREATE INDEX access_request_open ON access_request (state, decide_by);

CREATE INDEX access_request_person ON access_request (person, id);

CREATE INDEX access_request_by ON access_request (requested_by, id);

CREATE TABLE request_patient (
    request        BLOB NOT NULL REFERENCES access_request (id),
    patient_blind  BLOB NOT NULL,
    patient_sealed BLOB NOT NULL,
    dropped        INTEGER NOT NULL CHECK (dropped IN (0, 1)),
    PRIMARY KEY (request, patient_blind)
) STRICT;

CREATE TABLE request_approval (
    request    BLOB    NOT NULL REFERENCES access_request (id),
    by_person  BLOB    NOT NULL REFERENCES person (id),
    acting_for BLOB    REFERENCES person (id),
    kind       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (request, by_person)
) STRICT;

CREATE TABLE emergency_review (
    id               BLOB    NOT NULL PRIMARY KEY,
    reader           BLOB    NOT NULL REFERENCES person (id),
    opened_at        INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    account_sealed   BLOB,
    state            TEXT    NOT NULL CHECK (state IN ('open', 'asked', 'justified', 'unjustified', 'escalated')),
    moved_by         BLOB    REFERENCES person (id),
    moved_at         INTEGER,
    rationale_sealed BLOB,
    version          INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT emergency_review_two_people CHECK (moved_by <> reader),
    CHECK (opened_at < due_at),
    CHECK ((moved_by IS NULL) = (moved_at IS NULL)),
    CHECK ((state = 'open') = (moved_by IS NULL)),
    CHECK ((state IN ('justified', 'unjustified', 'escalated')) = (rationale_sealed IS NOT NULL))
) STRICT;

CREATE INDEX emergency_review_open ON emergency_review (state, due_at);

CREATE TABLE elevation (
    id                   BLOB    NOT NULL PRIMARY KEY,
    person               BLOB    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    purpose              TEXT,
    patient_blind        BLOB   NOT NULL,
    patient_sealed       BLOB   NOT NULL,
    kind                 TEXT    NOT NULL CHECK (kind IN ('asked', 'declared', 'emergency')),
    reason               TEXT,
    request              BLOB    REFERENCES access_request (id),
    review               BLOB    UNIQUE REFERENCES emergency_review (id),
    starts_at            INTEGER NOT NULL,
    ends_at              INTEGER NOT NULL,
    granted_at           INTEGER NOT NULL,
    justification_sealed BLOB   NOT NULL,
    ended_by             BLOB    REFERENCES person (id),
    ended_at             INTEGER,
    version              INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT elevation_window CHECK (starts_at < ends_at),
    CONSTRAINT elevation_review CHECK ((kind = 'emergency') = (review IS NOT NULL)),
    CONSTRAINT elevation_request CHECK ((kind = 'asked') = (request IS NOT NULL)),
    CHECK ((kind = 'asked') = (reason IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (ended_at IS NULL OR ended_at >= granted_at)
) STRICT;

CREATE INDEX elevation_person ON elevation (person, ends_at);

CREATE INDEX elevation_patient ON elevation (patient_blind, id);

CREATE TRIGGER access_request_moves BEFORE UPDATE ON access_request
WHEN NOT ((OLD.state = 'draft' AND NEW.state IN ('pending', 'cancelled'))
  OR (OLD.state = 'pending' AND NEW.state IN ('pending', 'approved', 'denied', 'expired', 'cancelled'))
  OR (OLD.state = 'approved' AND NEW.state = 'failed'))
BEGIN SELECT RAISE(ABORT, 'access_request does not go this way'); END;

CREATE TRIGGER access_request_narrows BEFORE UPDATE ON access_request
WHEN NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.requested_by <> OLD.requested_by OR NEW.role <> OLD.role
  OR NEW.starts_at < OLD.starts_at OR NEW.ends_at > OLD.ends_at
  OR (OLD.purpose IS NOT NULL AND NEW.purpose IS DISTINCT FROM OLD.purpose)
  OR NEW.needs <> OLD.needs OR NEW.needed <> OLD.needed OR NEW.hours_max <> OLD.hours_max
  OR NEW.decide_hours <> OLD.decide_hours OR NEW.step_up <> OLD.step_up
BEGIN SELECT RAISE(ABORT, 'access_request keeps what was asked for, or less'); END;

CREATE TRIGGER access_request_approved BEFORE UPDATE ON access_request
WHEN (NEW.state = 'approved' AND OLD.state = 'pending') AND (SELECT COUNT(*) FROM request_approval WHERE request_approval.request = NEW.id) < NEW.needed
BEGIN SELECT RAISE(ABORT, 'access_request lacks approvals'); END;

CREATE TRIGGER access_request_begins BEFORE INSERT ON access_request
WHEN NEW.state NOT IN ('draft', 'pending')
BEGIN SELECT RAISE(ABORT, 'access_request begins as a draft or pending'); END;

CREATE TRIGGER request_patient_drop_only BEFORE UPDATE ON request_patient
WHEN OLD.dropped = 1 OR NEW.dropped = 0 OR NEW.request <> OLD.request OR NEW.patient_blind <> OLD.patient_blind
  OR NEW.patient_sealed <> OLD.patient_sealed
BEGIN SELECT RAISE(ABORT, 'request_patient can only be dropped'); END;

CREATE TRIGGER request_approval_second_person BEFORE INSERT ON request_approval
WHEN EXISTS (SELECT 1 FROM access_request
             WHERE access_request.id = NEW.request
               AND (access_request.state <> 'pending'
                 OR access_request.person IN (NEW.by_person, NEW.acting_for)
                 OR access_request.requested_by IN (NEW.by_person, NEW.acting_for)))
BEGIN SELECT RAISE(ABORT, 'request_approval is of a pending request and a second person'); END;

CREATE TRIGGER request_approval_no_update BEFORE UPDATE ON request_approval
BEGIN SELECT RAISE(ABORT, 'request_approval is append-only'); END;

CREATE TRIGGER emergency_review_moves BEFORE UPDATE ON emergency_review
WHEN NOT ((OLD.state = 'open' AND NEW.state IN ('open', 'asked', 'justified', 'unjustified', 'escalated'))
  OR (OLD.state = 'asked' AND NEW.state IN ('open', 'justified', 'unjustified', 'escalated')))
BEGIN SELECT RAISE(ABORT, 'emergency_review does not go this way'); END;

CREATE TRIGGER emergency_review_keeps BEFORE UPDATE ON emergency_review
WHEN NEW.id <> OLD.id OR NEW.reader <> OLD.reader OR NEW.opened_at <> OLD.opened_at OR NEW.due_at <> OLD.due_at
BEGIN SELECT RAISE(ABORT, 'emergency_review keeps whose it is'); END;

CREATE TRIGGER emergency_review_begins BEFORE INSERT ON emergency_review
WHEN NEW.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'emergency_review begins open'); END;

CREATE TRIGGER elevation_end_only BEFORE UPDATE ON elevation
WHEN OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role OR NEW.purpose IS DISTINCT FROM OLD.purpose
  OR NEW.patient_blind <> OLD.patient_blind OR NEW.kind <> OLD.kind OR NEW.reason IS DISTINCT FROM OLD.reason
  OR NEW.request IS DISTINCT FROM OLD.request OR NEW.review IS DISTINCT FROM OLD.review
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at OR NEW.granted_at <> OLD.granted_at
BEGIN SELECT RAISE(ABORT, 'elevation can only be ended'); END;

CREATE TRIGGER elevation_approved BEFORE INSERT ON elevation
WHEN (NEW.request IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM access_request
                 WHERE access_request.id = NEW.request AND access_request.state = 'approved'
                   AND access_request.person = NEW.person AND access_request.role = NEW.role
                   AND access_request.ends_at >= NEW.ends_at)
BEGIN SELECT RAISE(ABORT, 'elevation has no approved request'); END;

CREATE TRIGGER elevation_of_a_patient BEFORE INSERT ON elevation
WHEN (NEW.request IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM request_patient
                 WHERE request_patient.request = NEW.request AND request_patient.patient_blind = NEW.patient_blind
                   AND request_patient.dropped = 0)
BEGIN SELECT RAISE(ABORT, 'elevation is of no patient of its request'); END;

CREATE TRIGGER elevation_reviewed BEFORE INSERT ON elevation
WHEN (NEW.review IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM emergency_review
                 WHERE emergency_review.id = NEW.review AND emergency_review.reader = NEW.person)
BEGIN SELECT RAISE(ABORT, 'elevation has no review of its reader'); END;

CREATE TRIGGER access_request_no_delete BEFORE DELETE ON access_request
BEGIN SELECT RAISE(ABORT, 'access_request is never deleted'); END;

CREATE TRIGGER request_patient_no_delete BEFORE DELETE ON request_patient
BEGIN SELECT RAISE(ABORT, 'request_patient is never deleted'); END;

CREATE TRIGGER request_approval_no_delete BEFORE DELETE ON request_approval
BEGIN SELECT RAISE(ABORT, 'request_approval is never deleted'); END;

CREATE TRIGGER emergency_review_no_delete BEFORE DELETE ON emergency_review
BEGIN SELECT RAISE(ABORT, 'emergency_review is never deleted'); END;

CREATE TRIGGER elevation_no_delete BEFORE DELETE ON elevation
BEGIN SELECT RAISE(ABORT, 'elevation is never deleted'); END;

CREATE TRIGGER access_request_no_replace BEFORE INSERT ON access_request
WHEN EXISTS (SELECT 1 FROM access_request AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: access_request exists'); END;

CREATE TRIGGER request_patient_no_replace BEFORE INSERT ON request_patient
WHEN EXISTS (SELECT 1 FROM request_patient AS old WHERE old.request = NEW.request AND old.patient_blind = NEW.patient_blind)
BEGIN SELECT RAISE(ABORT, 'conflict: request_patient exists'); END;

CREATE TRIGGER request_approval_no_replace BEFORE INSERT ON request_approval
WHEN EXISTS (SELECT 1 FROM request_approval AS old WHERE old.request = NEW.request AND old.by_person = NEW.by_person)
BEGIN SELECT RAISE(ABORT, 'conflict: request_approval exists'); END;

CREATE TRIGGER emergency_review_no_replace BEFORE INSERT ON emergency_review
WHEN EXISTS (SELECT 1 FROM emergency_review AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: emergency_review exists'); END;

CREATE TRIGGER elevation_no_replace BEFORE INSERT ON elevation
WHEN EXISTS (SELECT 1 FROM elevation AS old WHERE old.id = NEW.id OR old.review = NEW.review)
BEGIN SELECT RAISE(ABORT, 'conflict: elevation exists'); END;
