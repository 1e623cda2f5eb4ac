-- Steps that people take before the first record: courses, and that they have read the rules. Append-only: the last one counts.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE step_done (
    id        UUID   NOT NULL PRIMARY KEY,
    person    UUID   NOT NULL REFERENCES person (id),
    step      TEXT   NOT NULL CHECK (length(step) BETWEEN 1 AND 64),
    kind      TEXT   NOT NULL CHECK (kind IN ('training', 'acknowledgement')),
    done_at   BIGINT NOT NULL,
    by_person UUID   NOT NULL REFERENCES person (id),
    noted_at  BIGINT NOT NULL,
    UNIQUE (person, step, done_at),
    CONSTRAINT step_done_whose CHECK ((kind = 'acknowledgement') = (by_person = person)),
    CHECK (done_at <= noted_at)
);

CREATE FUNCTION step_done_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'step_done is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER step_done_no_update BEFORE UPDATE ON step_done FOR EACH ROW
EXECUTE FUNCTION step_done_no_update();

CREATE FUNCTION step_done_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'step_done is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER step_done_no_delete BEFORE DELETE OR TRUNCATE ON step_done
EXECUTE FUNCTION step_done_no_delete();

-- Roles that are held and not used: from ends_at on they give nothing, unless the notice was closed before with another outcome.
CREATE TABLE unused_notice (
    id               UUID   NOT NULL PRIMARY KEY,
    grant_id         UUID   NOT NULL REFERENCES role_grant (id),
    person           UUID   NOT NULL REFERENCES person (id),
    since            BIGINT NOT NULL,
    noticed_at       BIGINT NOT NULL,
    ends_at          BIGINT NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('noticed', 'objected', 'used', 'kept', 'taken')),
    objection_sealed BYTEA,
    closed_by        UUID   REFERENCES person (id),
    closed_at        BIGINT,
    version          BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT unused_notice_second_person CHECK (state <> 'kept' OR closed_by <> person),
    CHECK (since <= noticed_at AND noticed_at < ends_at),
    CHECK ((state IN ('noticed', 'objected')) = (closed_at IS NULL)),
    CHECK ((state IN ('kept', 'taken')) = (closed_by IS NOT NULL)),
    CHECK (state <> 'noticed' OR objection_sealed IS NULL),
    CHECK (state NOT IN ('objected', 'kept') OR objection_sealed IS NOT NULL),
    CHECK (state NOT IN ('used', 'kept') OR closed_at < ends_at)
);

CREATE UNIQUE INDEX unused_notice_one_open ON unused_notice (grant_id) WHERE closed_at IS NULL;

CREATE INDEX unused_notice_grant ON unused_notice (grant_id, ends_at);

CREATE INDEX unused_notice_person ON unused_notice (person, id);

CREATE FUNCTION unused_notice_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'unused_notice begins noticed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER unused_notice_begins BEFORE INSERT ON unused_notice FOR EACH ROW
WHEN (NEW.state <> 'noticed' OR NEW.version <> 1)
EXECUTE FUNCTION unused_notice_begins();

CREATE FUNCTION unused_notice_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'unused_notice does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER unused_notice_goes_on BEFORE UPDATE ON unused_notice FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.grant_id <> OLD.grant_id OR NEW.person <> OLD.person
  OR NEW.since <> OLD.since OR NEW.noticed_at <> OLD.noticed_at OR NEW.ends_at < OLD.ends_at
  OR NEW.version <> OLD.version + 1 OR NEW.state = 'noticed' OR (NEW.state = 'objected' AND OLD.state <> 'noticed')
  OR (NEW.state = 'kept' AND OLD.state <> 'objected') OR (NEW.ends_at <> OLD.ends_at AND NEW.state <> 'objected'))
EXECUTE FUNCTION unused_notice_goes_on();

CREATE FUNCTION unused_notice_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'unused_notice is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER unused_notice_no_delete BEFORE DELETE OR TRUNCATE ON unused_notice
EXECUTE FUNCTION unused_notice_no_delete();
