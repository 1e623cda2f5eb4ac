-- Access for some kinds of information alone: what a request is for and what it names, what an elevation opens of a record.
-- The same tables stand in migrations/sqlite under the same number and name.

-- Requests and elevations of before named no kinds: they are of all that the role has.
ALTER TABLE access_request ADD COLUMN task TEXT NOT NULL DEFAULT 'other'
    CHECK (task IN ('cover', 'consult', 'follow_up', 'billing', 'quality', 'records', 'investigation', 'research', 'duty', 'other'));

ALTER TABLE access_request ADD COLUMN whole BIGINT NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));

ALTER TABLE elevation ADD COLUMN kinds TEXT NOT NULL DEFAULT '*' CHECK (kinds <> '');

CREATE INDEX elevation_request ON elevation (request) WHERE request IS NOT NULL;

CREATE TABLE request_kind (
    request UUID   NOT NULL REFERENCES access_request (id),
    kind    TEXT   NOT NULL CHECK (kind <> '' AND kind <> '*'),
    dropped BIGINT NOT NULL CHECK (dropped IN (0, 1)),
    PRIMARY KEY (request, kind)
);

-- Kinds are named with the request, or instead of all of them by who approves it.
CREATE FUNCTION request_kind_narrows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.dropped = 1 OR NOT EXISTS (SELECT 1 FROM access_request
                 WHERE access_request.id = NEW.request AND access_request.state IN ('draft', 'pending')
                   AND (access_request.whole = 1 OR access_request.version = 1)) THEN
    RAISE EXCEPTION 'request_kind is of a request that is not narrower' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER request_kind_narrows BEFORE INSERT ON request_kind FOR EACH ROW
EXECUTE FUNCTION request_kind_narrows();

CREATE FUNCTION request_kind_drop_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_kind can only be dropped' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_kind_drop_only BEFORE UPDATE ON request_kind FOR EACH ROW
WHEN (OLD.dropped = 1 OR NEW.dropped = 0 OR NEW.request <> OLD.request OR NEW.kind <> OLD.kind)
EXECUTE FUNCTION request_kind_drop_only();

CREATE FUNCTION request_kind_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_kind is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_kind_no_delete BEFORE DELETE ON request_kind FOR EACH ROW
EXECUTE FUNCTION request_kind_no_delete();

CREATE FUNCTION access_request_kinds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.task <> OLD.task OR NEW.whole > OLD.whole
     OR (NEW.whole = 0 AND NEW.state = 'approved' AND NOT EXISTS (SELECT 1 FROM request_kind
                 WHERE request_kind.request = NEW.id AND request_kind.dropped = 0)) THEN
    RAISE EXCEPTION 'access_request keeps what was asked for, or fewer kinds' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER access_request_kinds BEFORE UPDATE ON access_request FOR EACH ROW
EXECUTE FUNCTION access_request_kinds();

-- What it opens is what was approved, and nothing else; what nobody approves opens what the role has.
CREATE FUNCTION elevation_kinds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.kinds <> COALESCE((SELECT string_agg(kind, ' ' ORDER BY kind COLLATE "C") FROM request_kind
                 WHERE request_kind.request = NEW.request AND request_kind.dropped = 0
                   AND EXISTS (SELECT 1 FROM access_request WHERE access_request.id = NEW.request AND access_request.whole = 0)), '*') THEN
    RAISE EXCEPTION 'elevation opens other kinds than its request' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER elevation_kinds BEFORE INSERT ON elevation FOR EACH ROW
EXECUTE FUNCTION elevation_kinds();

CREATE FUNCTION elevation_kinds_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'elevation can only be ended' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER elevation_kinds_stay BEFORE UPDATE ON elevation FOR EACH ROW
WHEN (NEW.kinds <> OLD.kinds)
EXECUTE FUNCTION elevation_kinds_stay();

CREATE TABLE use_review (
    id             UUID   NOT NULL PRIMARY KEY,
    elevation      UUID   NOT NULL UNIQUE REFERENCES elevation (id),
    reader         UUID   NOT NULL REFERENCES person (id),
    beside         TEXT   NOT NULL,
    unused         BIGINT NOT NULL CHECK (unused IN (0, 1)),
    compared_at    BIGINT NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('matched', 'open', 'explained', 'not_explained')),
    closed_by      UUID   REFERENCES person (id),
    closed_at      BIGINT,
    comment_sealed BYTEA,
    version        BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT use_review_two_people CHECK (closed_by <> reader),
    CHECK ((state IN ('explained', 'not_explained')) = (closed_by IS NOT NULL)),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL)),
    CHECK ((closed_by IS NULL) = (comment_sealed IS NULL)),
    CHECK ((state = 'matched') = (beside = '' AND unused = 0))
);

CREATE INDEX use_review_state ON use_review (state, id);

CREATE FUNCTION use_review_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state NOT IN ('matched', 'open') OR NOT EXISTS (SELECT 1 FROM elevation
                 WHERE elevation.id = NEW.elevation AND elevation.person = NEW.reader AND elevation.kinds <> '*'
                   AND (elevation.ends_at <= NEW.compared_at OR elevation.ended_at <= NEW.compared_at)) THEN
    RAISE EXCEPTION 'use_review is of access to named kinds that is over' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER use_review_begins BEFORE INSERT ON use_review FOR EACH ROW
EXECUTE FUNCTION use_review_begins();

CREATE FUNCTION use_review_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'use_review is closed once and keeps what was found' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER use_review_moves BEFORE UPDATE ON use_review FOR EACH ROW
WHEN (OLD.state <> 'open' OR NEW.state NOT IN ('explained', 'not_explained')
  OR NEW.id <> OLD.id OR NEW.elevation <> OLD.elevation OR NEW.reader <> OLD.reader OR NEW.beside <> OLD.beside
  OR NEW.unused <> OLD.unused OR NEW.compared_at <> OLD.compared_at)
EXECUTE FUNCTION use_review_moves();

CREATE FUNCTION use_review_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'use_review is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER use_review_no_delete BEFORE DELETE ON use_review FOR EACH ROW
EXECUTE FUNCTION use_review_no_delete();
