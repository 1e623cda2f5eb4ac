-- Who a person is in the record system: links to practitioners, confirmed by a second person, ended and never deleted.
-- The same table stands in migrations/postgres under the same number and name.

CREATE TABLE practitioner_link (
    id           BLOB    NOT NULL PRIMARY KEY,
    person       BLOB    NOT NULL REFERENCES person (id),
    practitioner TEXT    NOT NULL,
    confirmed_by BLOB    NOT NULL REFERENCES person (id),
    confirmed_at INTEGER NOT NULL,
    ended_by     BLOB    REFERENCES person (id),
    ended_at     INTEGER,
    version      INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT practitioner_link_two_people CHECK (confirmed_by <> person),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (ended_at IS NULL OR ended_at >= confirmed_at)
) STRICT;

CREATE INDEX practitioner_link_person ON practitioner_link (person, id);

CREATE INDEX practitioner_link_open ON practitioner_link (practitioner) WHERE ended_at IS NULL;

CREATE UNIQUE INDEX practitioner_link_one_open ON practitioner_link (person, practitioner) WHERE ended_at IS NULL;

CREATE TRIGGER practitioner_link_end_only BEFORE UPDATE ON practitioner_link
WHEN OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.practitioner <> OLD.practitioner
  OR NEW.confirmed_by <> OLD.confirmed_by OR NEW.confirmed_at <> OLD.confirmed_at
BEGIN SELECT RAISE(ABORT, 'practitioner_link can only be ended'); END;

CREATE TRIGGER practitioner_link_no_delete BEFORE DELETE ON practitioner_link
BEGIN SELECT RAISE(ABORT, 'practitioner_link is never deleted'); END;

-- INSERT OR REPLACE deletes without firing a delete trigger: what it would replace is refused first.
CREATE TRIGGER practitioner_link_no_replace BEFORE INSERT ON practitioner_link
WHEN EXISTS (SELECT 1 FROM practitioner_link AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM practitioner_link AS old
             WHERE old.person = NEW.person AND old.practitioner = NEW.practitioner AND old.ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: practitioner_link exists'); END;
