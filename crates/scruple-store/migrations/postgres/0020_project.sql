-- Projects, with the assessment of what is minimum necessary in each, and what was asked for under it.
CREATE TABLE project (
    id                  UUID   NOT NULL PRIMARY KEY,
    owner               UUID   NOT NULL REFERENCES person (id),
    headline_sealed     BYTEA  NOT NULL,
    purpose             TEXT   NOT NULL,
    roles               TEXT   NOT NULL CHECK (roles <> ''),
    kinds               TEXT   NOT NULL CHECK (kinds NOT IN ('', '*')),
    flows_sealed        BYTEA  NOT NULL,
    retention_sealed    BYTEA  NOT NULL,
    level               TEXT   NOT NULL CHECK (level IN ('deidentified', 'limited', 'identified')),
    level_reason_sealed BYTEA  NOT NULL,
    ends_at             BIGINT NOT NULL,
    proposed_by         UUID   NOT NULL REFERENCES person (id),
    proposed_at         BIGINT NOT NULL,
    state               TEXT   NOT NULL CHECK (state IN ('proposed', 'approved', 'refused', 'withdrawn', 'ended')),
    decided_by          UUID   REFERENCES person (id),
    decided_at          BIGINT,
    comment_sealed      BYTEA,
    closed_by           UUID   REFERENCES person (id),
    closed_at           BIGINT,
    version             BIGINT NOT NULL CHECK (version >= 1),
    CHECK (proposed_at < ends_at),
    CONSTRAINT project_two_people CHECK (decided_by <> proposed_by AND decided_by <> owner),
    CHECK ((state IN ('approved', 'refused', 'ended')) = (decided_by IS NOT NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((decided_by IS NULL) = (comment_sealed IS NULL)),
    CHECK ((state = 'ended') = (closed_by IS NOT NULL)),
    CHECK ((state IN ('ended', 'withdrawn')) = (closed_at IS NOT NULL))
);

CREATE INDEX project_state ON project (state, id);

-- What was asked for under a project: the role of the request, or the records that it opens, end with it.
CREATE TABLE project_request (
    request UUID NOT NULL PRIMARY KEY REFERENCES access_request (id),
    project UUID NOT NULL REFERENCES project (id)
);

CREATE INDEX project_request_project ON project_request (project, request);


CREATE FUNCTION project_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project begins proposed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_begins BEFORE INSERT ON project FOR EACH ROW
WHEN (NEW.state <> 'proposed')
EXECUTE FUNCTION project_begins();

CREATE FUNCTION project_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_moves BEFORE UPDATE ON project FOR EACH ROW
WHEN (NOT (NEW.state = OLD.state AND NEW.version = OLD.version)
  AND NOT ((OLD.state = 'proposed' AND NEW.state IN ('approved', 'refused', 'withdrawn')) OR (OLD.state = 'approved' AND NEW.state = 'ended')))
EXECUTE FUNCTION project_moves();

CREATE FUNCTION project_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project keeps what was assessed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_keeps BEFORE UPDATE ON project FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.headline_sealed <> OLD.headline_sealed OR NEW.purpose <> OLD.purpose
  OR NEW.roles <> OLD.roles OR NEW.kinds <> OLD.kinds OR NEW.flows_sealed <> OLD.flows_sealed OR NEW.retention_sealed <> OLD.retention_sealed
  OR NEW.level <> OLD.level OR NEW.level_reason_sealed <> OLD.level_reason_sealed OR NEW.ends_at <> OLD.ends_at
  OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at
  OR (OLD.decided_by IS NOT NULL AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR NEW.decided_at IS DISTINCT FROM OLD.decided_at
                                      OR NEW.comment_sealed IS DISTINCT FROM OLD.comment_sealed))
  OR (NEW.state = OLD.state AND (NEW.closed_by IS DISTINCT FROM OLD.closed_by OR NEW.closed_at IS DISTINCT FROM OLD.closed_at)))
EXECUTE FUNCTION project_keeps();

CREATE FUNCTION project_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_no_delete BEFORE DELETE OR TRUNCATE ON project
EXECUTE FUNCTION project_no_delete();

CREATE FUNCTION project_request_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM project WHERE project.id = NEW.project AND project.state = 'approved') THEN
        RAISE EXCEPTION 'project_request is of a project that is approved' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER project_request_approved BEFORE INSERT ON project_request FOR EACH ROW
EXECUTE FUNCTION project_request_approved();

CREATE FUNCTION project_request_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project_request is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_request_no_update BEFORE UPDATE ON project_request FOR EACH ROW
EXECUTE FUNCTION project_request_no_update();

CREATE FUNCTION project_request_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'project_request is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER project_request_no_delete BEFORE DELETE OR TRUNCATE ON project_request
EXECUTE FUNCTION project_request_no_delete();
