-- Papers in the file of a complaint, and the walls that some of them stand behind.
CREATE TABLE case_paper (
    id            UUID   NOT NULL PRIMARY KEY,
    chart_case    UUID   NOT NULL REFERENCES chart_case (id),
    text_sealed   BYTEA  NOT NULL,
    written_by    UUID   NOT NULL REFERENCES person (id),
    written_at    BIGINT NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('in_file', 'walled', 'released')),
    wall          TEXT   CHECK (wall IN ('counsel', 'staff')),
    released_by   UUID   REFERENCES person (id),
    released_at   BIGINT,
    reason_sealed BYTEA,
    version       BIGINT NOT NULL CHECK (version >= 1),
    CHECK ((state = 'in_file') = (wall IS NULL)),
    CHECK ((state = 'released') = (released_by IS NOT NULL)),
    CHECK ((released_by IS NULL) = (released_at IS NULL)),
    CHECK ((released_by IS NULL) = (reason_sealed IS NULL))
);

CREATE INDEX case_paper_case ON case_paper (chart_case, id);

CREATE FUNCTION case_paper_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'released' OR EXISTS (SELECT 1 FROM chart_case WHERE chart_case.id = NEW.chart_case AND chart_case.reader = NEW.written_by) THEN
        RAISE EXCEPTION 'case_paper is not written this way' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER case_paper_begins BEFORE INSERT ON case_paper FOR EACH ROW
EXECUTE FUNCTION case_paper_begins();

CREATE FUNCTION case_paper_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'case_paper does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER case_paper_moves BEFORE UPDATE ON case_paper FOR EACH ROW
WHEN (NOT ((OLD.state IN ('in_file', 'released') AND NEW.state = 'walled') OR (OLD.state = 'walled' AND NEW.state = 'released'))
  OR (OLD.wall IS NOT NULL AND NEW.wall IS DISTINCT FROM OLD.wall))
EXECUTE FUNCTION case_paper_moves();

CREATE FUNCTION case_paper_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'case_paper keeps what was written' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER case_paper_keeps BEFORE UPDATE ON case_paper FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.chart_case <> OLD.chart_case OR NEW.text_sealed <> OLD.text_sealed OR NEW.written_by <> OLD.written_by
  OR NEW.written_at <> OLD.written_at)
EXECUTE FUNCTION case_paper_keeps();

CREATE FUNCTION case_paper_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM chart_case WHERE chart_case.id = NEW.chart_case AND chart_case.reader = NEW.released_by) THEN
        RAISE EXCEPTION 'case_paper is not let out by whom the case is about' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER case_paper_apart BEFORE UPDATE ON case_paper FOR EACH ROW
EXECUTE FUNCTION case_paper_apart();

CREATE FUNCTION case_paper_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'case_paper is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER case_paper_no_delete BEFORE DELETE OR TRUNCATE ON case_paper
EXECUTE FUNCTION case_paper_no_delete();
