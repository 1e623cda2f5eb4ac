-- Papers in the file of a complaint, and the walls that some of them stand behind.
CREATE TABLE case_paper (
    id            BLOB    NOT NULL PRIMARY KEY,
    chart_case    BLOB    NOT NULL REFERENCES chart_case (id),
    text_sealed   BLOB    NOT NULL,
    written_by    BLOB    NOT NULL REFERENCES person (id),
    written_at    INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('in_file', 'walled', 'released')),
    wall          TEXT    CHECK (wall IN ('counsel', 'staff')),
    released_by   BLOB    REFERENCES person (id),
    released_at   INTEGER,
    reason_sealed BLOB,
    version       INTEGER NOT NULL CHECK (version >= 1),
    CHECK ((state = 'in_file') = (wall IS NULL)),
    CHECK ((state = 'released') = (released_by IS NOT NULL)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)),
    CHECK ((released_by IS NULL) = (reason_sealed IS NULL))
) STRICT;

CREATE INDEX case_paper_case ON case_paper (chart_case, id);

CREATE TRIGGER case_paper_begins BEFORE INSERT ON case_paper
WHEN NEW.state = 'released' OR EXISTS (SELECT 1 FROM chart_case WHERE chart_case.id = NEW.chart_case AND chart_case.reader = NEW.written_by)
BEGIN SELECT RAISE(ABORT, 'case_paper is not written this way'); END;

CREATE TRIGGER case_paper_moves BEFORE UPDATE ON case_paper
WHEN NOT ((OLD.state IN ('in_file', 'released') AND NEW.state = 'walled') OR (OLD.state = 'walled' AND NEW.state = 'released'))
  OR (OLD.wall IS NOT NULL AND NEW.wall IS DISTINCT FROM OLD.wall)
BEGIN SELECT RAISE(ABORT, 'case_paper does not go this way'); END;

CREATE TRIGGER case_paper_keeps BEFORE UPDATE ON case_paper
WHEN NEW.id <> OLD.id OR NEW.chart_case <> OLD.chart_case OR NEW.text_sealed <> OLD.text_sealed OR NEW.written_by <> OLD.written_by
  OR NEW.written_at <> OLD.written_at
BEGIN SELECT RAISE(ABORT, 'case_paper keeps what was written'); END;

CREATE TRIGGER case_paper_apart BEFORE UPDATE ON case_paper
WHEN EXISTS (SELECT 1 FROM chart_case WHERE chart_case.id = NEW.chart_case AND chart_case.reader = NEW.released_by)
BEGIN SELECT RAISE(ABORT, 'case_paper is not let out by whom the case is about'); END;

CREATE TRIGGER case_paper_no_delete BEFORE DELETE ON case_paper
BEGIN SELECT RAISE(ABORT, 'case_paper is never deleted'); END;

CREATE TRIGGER case_paper_no_replace BEFORE INSERT ON case_paper
WHEN EXISTS (SELECT 1 FROM case_paper AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: case_paper exists'); END;
