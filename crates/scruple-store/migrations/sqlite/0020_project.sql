-- Projects, with the assessment of what is minimum necessary in each, and what was asked for under it.
CREATE TABLE project (
    id                  BLOB    NOT NULL PRIMARY KEY,
    owner               BLOB    NOT NULL REFERENCES person (id),
    headline_sealed     BLOB    NOT NULL,
    purpose             TEXT    NOT NULL,
    roles               TEXT    NOT NULL CHECK (roles <> ''),
    kinds               TEXT    NOT NULL CHECK (kinds NOT IN ('', '*')),
    flows_sealed        BLOB    NOT NULL,
    retention_sealed    BLOB    NOT NULL,
    level               TEXT    NOT NULL CHECK (level IN ('deidentified', 'limited', 'identified')),
    level_reason_sealed BLOB    NOT NULL,
    ends_at             INTEGER NOT NULL,
    proposed_by         BLOB    NOT NULL REFERENCES person (id),
    proposed_at         INTEGER NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN ('proposed', 'approved', 'refused', 'withdrawn', 'ended')),
    decided_by          BLOB    REFERENCES person (id),
    decided_at          INTEGER,
    comment_sealed      BLOB,
    closed_by           BLOB    REFERENCES person (id),
    closed_at           INTEGER,
    version             INTEGER NOT NULL CHECK (version >= 1),
    CHECK (proposed_at < ends_at),
    CONSTRAINT project_two_people CHECK (decided_by <> proposed_by AND decided_by <> owner),
    CHECK ((state IN ('approved', 'refused', 'ended')) = (decided_by IS NOT NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((decided_by IS NULL) = (comment_sealed IS NULL)),
    CHECK ((state = 'ended') = (closed_by IS NOT NULL)),
    CHECK ((state IN ('ended', 'withdrawn')) = (closed_at IS NOT NULL))
) STRICT;

CREATE INDEX project_state ON project (state, id);

-- What was asked for under a project: the role of the request, or the records that it opens, end with it.
CREATE TABLE project_request (
    request BLOB NOT NULL PRIMARY KEY REFERENCES access_request (id),
    project BLOB NOT NULL REFERENCES project (id)
) STRICT;

CREATE INDEX project_request_project ON project_request (project, request);

CREATE TRIGGER project_begins BEFORE INSERT ON project
WHEN NEW.state <> 'proposed'
BEGIN SELECT RAISE(ABORT, 'project begins proposed'); END;

CREATE TRIGGER project_moves BEFORE UPDATE ON project
WHEN NOT (NEW.state = OLD.state AND NEW.version = OLD.version)
  AND NOT ((OLD.state = 'proposed' AND NEW.state IN ('approved', 'refused', 'withdrawn')) OR (OLD.state = 'approved' AND NEW.state = 'ended'))
BEGIN SELECT RAISE(ABORT, 'project does not go this way'); END;

CREATE TRIGGER project_keeps BEFORE UPDATE ON project
WHEN NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.headline_sealed <> OLD.headline_sealed OR NEW.purpose <> OLD.purpose
  OR NEW.roles <> OLD.roles OR NEW.kinds <> OLD.kinds OR NEW.flows_sealed <> OLD.flows_sealed OR NEW.retention_sealed <> OLD.retention_sealed
  OR NEW.level <> OLD.level OR NEW.level_reason_sealed <> OLD.level_reason_sealed OR NEW.ends_at <> OLD.ends_at
  OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at
  OR (OLD.decided_by IS NOT NULL AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR NEW.decided_at IS DISTINCT FROM OLD.decided_at
                                      OR NEW.comment_sealed IS DISTINCT FROM OLD.comment_sealed))
  OR (NEW.state = OLD.state AND (NEW.closed_by IS DISTINCT FROM OLD.closed_by OR NEW.closed_at IS DISTINCT FROM OLD.closed_at))
BEGIN SELECT RAISE(ABORT, 'project keeps what was assessed'); END;

CREATE TRIGGER project_no_delete BEFORE DELETE ON project
BEGIN SELECT RAISE(ABORT, 'project is never deleted'); END;

CREATE TRIGGER project_no_replace BEFORE INSERT ON project
WHEN EXISTS (SELECT 1 FROM project AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: project exists'); END;

CREATE TRIGGER project_request_approved BEFORE INSERT ON project_request
WHEN NOT EXISTS (SELECT 1 FROM project WHERE project.id = NEW.project AND project.state = 'approved')
BEGIN SELECT RAISE(ABORT, 'project_request is of a project that is approved'); END;

CREATE TRIGGER project_request_no_update BEFORE UPDATE ON project_request
BEGIN SELECT RAISE(ABORT, 'project_request is append-only'); END;

CREATE TRIGGER project_request_no_delete BEFORE DELETE ON project_request
BEGIN SELECT RAISE(ABORT, 'project_request is append-only'); END;

CREATE TRIGGER project_request_no_replace BEFORE INSERT ON project_request
WHEN EXISTS (SELECT 1 FROM project_request AS old WHERE old.request = NEW.request)
BEGIN SELECT RAISE(ABORT, 'conflict: project_request exists'); END;
