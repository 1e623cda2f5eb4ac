-- Access for some kinds of information alone: what a request is for and what it names, what an elevation opens of a record.
-- The same tables stand in migrations/postgres under the same number and name.

-- Requests and elevations of before named no kinds: they are of all that the role has.
ALTER TABLE access_request ADD COLUMN task TEXT NOT NULL DEFAULT 'other'
    CHECK (task IN ('cover', 'consult', 'follow_up', 'billing', 'quality', 'records', 'investigation', 'research', 'duty', 'other'));

ALTER TABLE access_request ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));

ALTER TABLE elevation ADD COLUMN kinds TEXT NOT NULL DEFAULT '*' CHECK (kinds <> '');

CREATE INDEX elevation_request ON elevation (request) WHERE request IS NOT NULL;

CREATE TABLE request_kind (
    request BLOB    NOT NULL REFERENCES access_request (id),
    kind    TEXT    NOT NULL CHECK (kind <> '' AND kind <> '*'),
    dropped INTEGER NOT NULL CHECK (dropped IN (0, 1)),
    PRIMARY KEY (request, kind)
) STRICT;

-- Kinds are named with the request, or instead of all of them by who approves it.
CREATE TRIGGER request_kind_narrows BEFORE INSERT ON request_kind
WHEN NEW.dropped = 1 OR NOT EXISTS (SELECT 1 FROM access_request
                 WHERE access_request.id = NEW.request AND access_request.state IN ('draft', 'pending')
                   AND (access_request.whole = 1 OR access_request.version = 1))
BEGIN SELECT RAISE(ABORT, 'request_kind is of a request that is not narrower'); END;

CREATE TRIGGER request_kind_drop_only BEFORE UPDATE ON request_kind
WHEN OLD.dropped = 1 OR NEW.dropped = 0 OR NEW.request <> OLD.request OR NEW.kind <> OLD.kind
BEGIN SELECT RAISE(ABORT, 'request_kind can only be dropped'); END;

CREATE TRIGGER request_kind_no_delete BEFORE DELETE ON request_kind
BEGIN SELECT RAISE(ABORT, 'request_kind is never deleted'); END;

CREATE TRIGGER request_kind_no_replace BEFORE INSERT ON request_kind
WHEN EXISTS (SELECT 1 FROM request_kind AS old WHERE old.request = NEW.request AND old.kind = NEW.kind)
BEGIN SELECT RAISE(ABORT, 'conflict: request_kind exists'); END;

CREATE TRIGGER access_request_kinds BEFORE UPDATE ON access_request
WHEN NEW.task <> OLD.task OR NEW.whole > OLD.whole
  OR (NEW.whole = 0 AND NEW.state = 'approved' AND NOT EXISTS (SELECT 1 FROM request_kind
                 WHERE request_kind.request = NEW.id AND request_kind.dropped = 0))
BEGIN SELECT RAISE(ABORT, 'access_request keeps what was asked for, or fewer kinds'); END;

-- What it opens is what was approved, and nothing else; what nobody approves opens what the role has.
CREATE TRIGGER elevation_kinds BEFORE INSERT ON elevation
WHEN NEW.kinds <> COALESCE((SELECT group_concat(kind, ' ' ORDER BY kind) FROM request_kind
                 WHERE request_kind.request = NEW.request AND request_kind.dropped = 0
                   AND EXISTS (SELECT 1 FROM access_request WHERE access_request.id = NEW.request AND access_request.whole = 0)), '*')
BEGIN SELECT RAISE(ABORT, 'elevation opens other kinds than its request'); END;

CREATE TRIGGER elevation_kinds_stay BEFORE UPDATE ON elevation
WHEN NEW.kinds <> OLD.kinds
BEGIN SELECT RAISE(ABORT, 'elevation can only be ended'); END;

CREATE TABLE use_review (
    id             BLOB    NOT NULL PRIMARY KEY,
    elevation      BLOB    NOT NULL UNIQUE REFERENCES elevation (id),
    reader         BLOB    NOT NULL REFERENCES person (id),
    beside         TEXT    NOT NULL,
    unused         INTEGER NOT NULL CHECK (unused IN (0, 1)),
    compared_at    INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('matched', 'open', 'explained', 'not_explained')),
    closed_by      BLOB    REFERENCES person (id),
    closed_at      INTEGER,
    comment_sealed BLOB,
    version        INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT use_review_two_people CHECK (closed_by <> reader),
    CHECK ((state IN ('explained', 'not_explained')) = (closed_by IS NOT NULL)),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL)),
    CHECK ((closed_by IS NULL) = (comment_sealed IS NULL)),
    CHECK ((state = 'matched') = (beside = '' AND unused = 0))
) STRICT;

CREATE INDEX use_review_state ON use_review (state, id);

CREATE TRIGGER use_review_begins BEFORE INSERT ON use_review
WHEN NEW.state NOT IN ('matched', 'open') OR NOT EXISTS (SELECT 1 FROM elevation
                 WHERE elevation.id = NEW.elevation AND elevation.person = NEW.reader AND elevation.kinds <> '*'
                   AND (elevation.ends_at <= NEW.compared_at OR elevation.ended_at <= NEW.compared_at))
BEGIN SELECT RAISE(ABORT, 'use_review is of access to named kinds that is over'); END;

CREATE TRIGGER use_review_moves BEFORE UPDATE ON use_review
WHEN OLD.state <> 'open' OR NEW.state NOT IN ('explained', 'not_explained')
  OR NEW.id <> OLD.id OR NEW.elevation <> OLD.elevation OR NEW.reader <> OLD.reader OR NEW.beside <> OLD.beside
  OR NEW.unused <> OLD.unused OR NEW.compared_at <> OLD.compared_at
BEGIN SELECT RAISE(ABORT, 'use_review is closed once and keeps what was found'); END;

CREATE TRIGGER use_review_no_delete BEFORE DELETE ON use_review
BEGIN SELECT RAISE(ABORT, 'use_review is never deleted'); END;

CREATE TRIGGER use_review_no_replace BEFORE INSERT ON use_review
WHEN EXISTS (SELECT 1 FROM use_review AS old WHERE old.id = NEW.id OR old.elevation = NEW.elevation)
BEGIN SELECT RAISE(ABORT, 'conflict: use_review exists'); END;
