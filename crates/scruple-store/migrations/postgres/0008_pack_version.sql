-- Versions of the policy: their content, and how each came to be active; reviews of the mappings of roles.
-- The same tables stand in migrations/sqlite under the same number and name.

-- The table of 0001 had no content, no proposal and no way back; nothing has written to it.
DROP TABLE pack_version;
DROP FUNCTION pack_version_content();
DROP FUNCTION pack_version_no_delete();

CREATE TABLE pack_content (
    id           UUID    NOT NULL PRIMARY KEY,
    hash         BYTEA   NOT NULL UNIQUE,
    files_sealed BYTEA   NOT NULL,
    stored_at    BIGINT  NOT NULL
);

CREATE FUNCTION pack_content_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_content is never changed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_content_no_update BEFORE UPDATE ON pack_content FOR EACH ROW
EXECUTE FUNCTION pack_content_no_update();

CREATE FUNCTION pack_content_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_content is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_content_no_delete BEFORE DELETE OR TRUNCATE ON pack_content EXECUTE FUNCTION pack_content_no_delete();

CREATE TABLE pack_version (
    id               UUID    NOT NULL PRIMARY KEY,
    hash             BYTEA   NOT NULL REFERENCES pack_content (hash),
    engine           TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('draft', 'checked', 'proposed', 'approved', 'refused', 'withdrawn', 'active', 'superseded')),
    origin           TEXT    NOT NULL CHECK (origin IN ('shipped', 'folder', 'person')),
    criteria         TEXT    NOT NULL,
    rationale_sealed BYTEA   NOT NULL,
    drafted_by       UUID    REFERENCES person (id),
    drafted_at       BIGINT  NOT NULL,
    checked_at       BIGINT,
    proposed_at      BIGINT,
    base             BYTEA,
    changed          TEXT,
    replay           TEXT,
    decided_by       UUID    REFERENCES person (id),
    decided_at       BIGINT,
    comment_sealed   BYTEA,
    activated_by     UUID    REFERENCES person (id),
    activated_at     BIGINT,
    ended_at         BIGINT,
    version          BIGINT  NOT NULL CHECK (version >= 1),
    CONSTRAINT pack_version_two_people CHECK (decided_by <> drafted_by),
    CHECK ((origin = 'person') = (drafted_by IS NOT NULL)),
    CHECK (origin = 'person' OR state IN ('active', 'superseded')),
    CHECK (state <> 'draft' OR checked_at IS NULL),
    CHECK (state IN ('draft', 'withdrawn') OR checked_at IS NOT NULL),
    CHECK (state NOT IN ('draft', 'checked') OR proposed_at IS NULL),
    CHECK ((proposed_at IS NULL) = (replay IS NULL) AND (proposed_at IS NULL) = (changed IS NULL)),
    CHECK (origin <> 'person' OR state NOT IN ('proposed', 'approved', 'refused', 'active', 'superseded') OR proposed_at IS NOT NULL),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK (state NOT IN ('draft', 'checked', 'proposed') OR decided_by IS NULL),
    CHECK (origin <> 'person' OR state NOT IN ('approved', 'refused', 'active', 'superseded') OR decided_by IS NOT NULL),
    CHECK ((state = 'refused') = (comment_sealed IS NOT NULL)),
    CHECK ((state IN ('active', 'superseded')) = (activated_at IS NOT NULL)),
    CHECK ((origin = 'person' AND activated_at IS NOT NULL) = (activated_by IS NOT NULL)),
    CHECK ((state IN ('withdrawn', 'superseded')) = (ended_at IS NOT NULL))
);

CREATE UNIQUE INDEX pack_version_one_active ON pack_version (state) WHERE state = 'active';
CREATE INDEX pack_version_term ON pack_version (activated_at);

CREATE FUNCTION pack_version_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_no_delete BEFORE DELETE OR TRUNCATE ON pack_version EXECUTE FUNCTION pack_version_no_delete();

CREATE FUNCTION pack_version_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version begins as a draft' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_begins BEFORE INSERT ON pack_version FOR EACH ROW
WHEN (NEW.version <> 1 OR NEW.state <> CASE NEW.origin WHEN 'person' THEN 'draft' ELSE 'active' END)
EXECUTE FUNCTION pack_version_begins();

CREATE FUNCTION pack_version_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version does not go this way' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_goes_on BEFORE UPDATE ON pack_version FOR EACH ROW
WHEN (OLD.state || ' ' || NEW.state NOT IN ('draft checked', 'draft withdrawn', 'checked proposed', 'checked withdrawn',
  'proposed approved', 'proposed refused', 'proposed withdrawn', 'approved withdrawn', 'approved active', 'active superseded'))
EXECUTE FUNCTION pack_version_goes_on();

CREATE FUNCTION pack_version_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version keeps what was proposed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_content BEFORE UPDATE ON pack_version FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.hash <> OLD.hash OR NEW.engine <> OLD.engine OR NEW.origin <> OLD.origin
  OR NEW.criteria <> OLD.criteria OR NEW.drafted_by IS DISTINCT FROM OLD.drafted_by OR NEW.drafted_at <> OLD.drafted_at
  OR (NEW.rationale_sealed <> OLD.rationale_sealed AND NEW.state <> 'proposed')
  OR (OLD.checked_at IS NOT NULL AND NEW.checked_at IS DISTINCT FROM OLD.checked_at)
  OR (OLD.proposed_at IS NOT NULL AND (NEW.proposed_at IS DISTINCT FROM OLD.proposed_at OR NEW.base IS DISTINCT FROM OLD.base
    OR NEW.changed IS DISTINCT FROM OLD.changed OR NEW.replay IS DISTINCT FROM OLD.replay))
  OR (OLD.decided_by IS NOT NULL AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR NEW.decided_at IS DISTINCT FROM OLD.decided_at))
  OR (OLD.activated_at IS NOT NULL AND (NEW.activated_at IS DISTINCT FROM OLD.activated_at OR NEW.activated_by IS DISTINCT FROM OLD.activated_by)))
EXECUTE FUNCTION pack_version_content();

CREATE TABLE mapping_review (
    id               UUID    NOT NULL PRIMARY KEY,
    role             TEXT    NOT NULL,
    pack             BYTEA   NOT NULL REFERENCES pack_content (hash),
    cause            TEXT    NOT NULL CHECK (cause IN ('due', 'role_changed', 'organisation_changed')),
    opened_at        BIGINT  NOT NULL,
    due_at           BIGINT  NOT NULL,
    closed_by        UUID    REFERENCES person (id),
    closed_at        BIGINT,
    decisions        TEXT,
    comment_sealed   BYTEA,
    version          BIGINT  NOT NULL CHECK (version >= 1),
    CHECK (opened_at <= due_at),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL) AND (closed_by IS NULL) = (decisions IS NULL) AND (closed_by IS NULL) = (comment_sealed IS NULL))
);

CREATE UNIQUE INDEX mapping_review_one_open ON mapping_review (role) WHERE closed_at IS NULL;
CREATE INDEX mapping_review_role ON mapping_review (role, closed_at);

CREATE FUNCTION mapping_review_close_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'mapping_review can only be closed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER mapping_review_close_only BEFORE UPDATE ON mapping_review FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR NEW.id <> OLD.id OR NEW.role <> OLD.role OR NEW.pack <> OLD.pack
  OR NEW.cause <> OLD.cause OR NEW.opened_at <> OLD.opened_at OR NEW.due_at <> OLD.due_at)
EXECUTE FUNCTION mapping_review_close_only();

CREATE FUNCTION mapping_review_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'mapping_review is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER mapping_review_no_delete BEFORE DELETE OR TRUNCATE ON mapping_review EXECUTE FUNCTION mapping_review_no_delete();
