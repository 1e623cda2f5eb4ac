-- Versions of the policy: their content, and how each came to be active; reviews of the mappings of roles.
-- The same tables stand in migrations/postgres under the same number and name.

-- The table of 0001 had no content, no proposal and no way back; nothing has written to it.
DROP TABLE pack_version;

CREATE TABLE pack_content (
    id           BLOB    NOT NULL PRIMARY KEY,
    hash         BLOB    NOT NULL UNIQUE,
    files_sealed BLOB    NOT NULL,
    stored_at    INTEGER NOT NULL
) STRICT;

CREATE TRIGGER pack_content_no_update BEFORE UPDATE ON pack_content
BEGIN SELECT RAISE(ABORT, 'pack_content is never changed'); END;

CREATE TRIGGER pack_content_no_delete BEFORE DELETE ON pack_content
BEGIN SELECT RAISE(ABORT, 'pack_content is never deleted'); END;

CREATE TRIGGER pack_content_no_replace BEFORE INSERT ON pack_content
WHEN EXISTS (SELECT 1 FROM pack_content WHERE pack_content.id = NEW.id OR pack_content.hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'conflict: pack_content exists'); END;

CREATE TABLE pack_version (
    id               BLOB    NOT NULL PRIMARY KEY,
    hash             BLOB    NOT NULL REFERENCES pack_content (hash),
    engine           TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('draft', 'checked', 'proposed', 'approved', 'refused', 'withdrawn', 'active', 'superseded')),
    origin           TEXT    NOT NULL CHECK (origin IN ('shipped', 'folder', 'person')),
    criteria         TEXT    NOT NULL,
    rationale_sealed BLOB    NOT NULL,
    drafted_by       BLOB    REFERENCES person (id),
    drafted_at       INTEGER NOT NULL,
    checked_at       INTEGER,
    proposed_at      INTEGER,
    base             BLOB,
    changed          TEXT,
    replay           TEXT,
    decided_by       BLOB    REFERENCES person (id),
    decided_at       INTEGER,
    comment_sealed   BLOB,
    activated_by     BLOB    REFERENCES person (id),
    activated_at     INTEGER,
    ended_at         INTEGER,
    version          INTEGER NOT NULL CHECK (version >= 1),
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
) STRICT;

CREATE UNIQUE INDEX pack_version_one_active ON pack_version (state) WHERE state = 'active';
CREATE INDEX pack_version_term ON pack_version (activated_at);

CREATE TRIGGER pack_version_no_delete BEFORE DELETE ON pack_version
BEGIN SELECT RAISE(ABORT, 'pack_version is never deleted'); END;

CREATE TRIGGER pack_version_no_replace BEFORE INSERT ON pack_version
WHEN EXISTS (SELECT 1 FROM pack_version WHERE pack_version.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: pack_version exists'); END;

CREATE TRIGGER pack_version_begins BEFORE INSERT ON pack_version
WHEN NEW.version <> 1 OR NEW.state <> CASE NEW.origin WHEN 'person' THEN 'draft' ELSE 'active' END
BEGIN SELECT RAISE(ABORT, 'pack_version begins as a draft'); END;

CREATE TRIGGER pack_version_goes_on BEFORE UPDATE ON pack_version
WHEN OLD.state || ' ' || NEW.state NOT IN ('draft checked', 'draft withdrawn', 'checked proposed', 'checked withdrawn',
  'proposed approved', 'proposed refused', 'proposed withdrawn', 'approved withdrawn', 'approved active', 'active superseded')
BEGIN SELECT RAISE(ABORT, 'pack_version does not go this way'); END;

CREATE TRIGGER pack_version_content BEFORE UPDATE ON pack_version
WHEN NEW.id <> OLD.id OR NEW.hash <> OLD.hash OR NEW.engine <> OLD.engine OR NEW.origin <> OLD.origin
  OR NEW.criteria <> OLD.criteria OR NEW.drafted_by IS DISTINCT FROM OLD.drafted_by OR NEW.drafted_at <> OLD.drafted_at
  OR (NEW.rationale_sealed <> OLD.rationale_sealed AND NEW.state <> 'proposed')
  OR (OLD.checked_at IS NOT NULL AND NEW.checked_at IS DISTINCT FROM OLD.checked_at)
  OR (OLD.proposed_at IS NOT NULL AND (NEW.proposed_at IS DISTINCT FROM OLD.proposed_at OR NEW.base IS DISTINCT FROM OLD.base
    OR NEW.changed IS DISTINCT FROM OLD.changed OR NEW.replay IS DISTINCT FROM OLD.replay))
  OR (OLD.decided_by IS NOT NULL AND (NEW.decided_by IS DISTINCT FROM OLD.decided_by OR NEW.decided_at IS DISTINCT FROM OLD.decided_at))
  OR (OLD.activated_at IS NOT NULL AND (NEW.activated_at IS DISTINCT FROM OLD.activated_at OR NEW.activated_by IS DISTINCT FROM OLD.activated_by))
BEGIN SELECT RAISE(ABORT, 'pack_version keeps what was proposed'); END;

CREATE TABLE mapping_review (
    id               BLOB    NOT NULL PRIMARY KEY,
    role             TEXT    NOT NULL,
    pack             BLOB    NOT NULL REFERENCES pack_content (hash),
    cause            TEXT    NOT NULL CHECK (cause IN ('due', 'role_changed', 'organisation_changed')),
    opened_at        INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    closed_by        BLOB    REFERENCES person (id),
    closed_at        INTEGER,
    decisions        TEXT,
    comment_sealed   BLOB,
    version          INTEGER NOT NULL CHECK (version >= 1),
    CHECK (opened_at <= due_at),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL) AND (closed_by IS NULL) = (decisions IS NULL) AND (closed_by IS NULL) = (comment_sealed IS NULL))
) STRICT;

CREATE UNIQUE INDEX mapping_review_one_open ON mapping_review (role) WHERE closed_at IS NULL;
CREATE INDEX mapping_review_role ON mapping_review (role, closed_at);

CREATE TRIGGER mapping_review_close_only BEFORE UPDATE ON mapping_review
WHEN OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR NEW.id <> OLD.id OR NEW.role <> OLD.role OR NEW.pack <> OLD.pack
  OR NEW.cause <> OLD.cause OR NEW.opened_at <> OLD.opened_at OR NEW.due_at <> OLD.due_at
BEGIN SELECT RAISE(ABORT, 'mapping_review can only be closed'); END;

CREATE TRIGGER mapping_review_no_delete BEFORE DELETE ON mapping_review
BEGIN SELECT RAISE(ABORT, 'mapping_review is never deleted'); END;

CREATE TRIGGER mapping_review_no_replace BEFORE INSERT ON mapping_review
WHEN EXISTS (SELECT 1 FROM mapping_review WHERE mapping_review.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: mapping_review exists'); END;
