-- Who is here: what the directory of HR tells of each person, its groups, leaves and moves.
-- The same tables stand in migrations/postgres under the same number and name. Leaves and moves are ended and never deleted.

CREATE TABLE directory (
    person                 BLOB NOT NULL PRIMARY KEY REFERENCES person (id),
    employee_number_blind  BLOB,
    employee_number_sealed BLOB,
    external_id_blind      BLOB,
    external_id_sealed     BLOB,
    title_sealed           BLOB,
    department_blind       BLOB,
    department_sealed      BLOB,
    organisation_sealed    BLOB,
    manager                BLOB REFERENCES person (id),
    employment             TEXT CHECK (employment IN ('employee', 'medical_staff', 'affiliate', 'trainee', 'volunteer',
                                                      'agency', 'business_associate', 'service')),
    document_sealed        BLOB NOT NULL,
    created_at             INTEGER NOT NULL,
    changed_at             INTEGER NOT NULL,
    deleted_at             INTEGER,
    version                INTEGER NOT NULL CHECK (version >= 1),
    CHECK ((employee_number_blind IS NULL) = (employee_number_sealed IS NULL)),
    CHECK ((external_id_blind IS NULL) = (external_id_sealed IS NULL)),
    CHECK ((department_blind IS NULL) = (department_sealed IS NULL)),
    CHECK (manager <> person)
) STRICT;

CREATE UNIQUE INDEX directory_employee_number ON directory (employee_number_blind) WHERE deleted_at IS NULL;

CREATE INDEX directory_external_id ON directory (external_id_blind);

CREATE INDEX directory_department ON directory (department_blind);

CREATE INDEX directory_manager ON directory (manager);

CREATE TABLE scim_group (
    id                 BLOB NOT NULL PRIMARY KEY,
    display_blind      BLOB NOT NULL,
    display_sealed     BLOB NOT NULL,
    external_id_blind  BLOB,
    external_id_sealed BLOB,
    role               TEXT,
    mapped_by          BLOB REFERENCES person (id),
    mapped_at          INTEGER,
    created_at         INTEGER NOT NULL,
    changed_at         INTEGER NOT NULL,
    deleted_at         INTEGER,
    version            INTEGER NOT NULL CHECK (version >= 1),
    CHECK ((external_id_blind IS NULL) = (external_id_sealed IS NULL)),
    CHECK ((role IS NULL) = (mapped_by IS NULL)),
    CHECK ((mapped_by IS NULL) = (mapped_at IS NULL))
) STRICT;

CREATE INDEX scim_group_display ON scim_group (display_blind);

CREATE INDEX scim_group_external_id ON scim_group (external_id_blind);

CREATE TABLE scim_member (
    scim_group BLOB NOT NULL REFERENCES scim_group (id),
    person     BLOB NOT NULL REFERENCES person (id),
    since      INTEGER NOT NULL,
    PRIMARY KEY (scim_group, person)
) STRICT;

CREATE INDEX scim_member_person ON scim_member (person);

CREATE TABLE person_leave (
    id        BLOB NOT NULL PRIMARY KEY,
    person    BLOB NOT NULL REFERENCES person (id),
    starts_at INTEGER NOT NULL,
    noted_by  BLOB NOT NULL REFERENCES person (id),
    noted_at  INTEGER NOT NULL,
    ended_at  INTEGER,
    closed_by BLOB REFERENCES person (id),
    closed_at INTEGER,
    version   INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT person_leave_second_person CHECK (closed_by <> person),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX person_leave_one_open ON person_leave (person) WHERE closed_at IS NULL;

CREATE INDEX person_leave_person ON person_leave (person, starts_at);

CREATE TRIGGER person_leave_forward BEFORE UPDATE ON person_leave
WHEN OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.starts_at > OLD.starts_at
  OR NEW.noted_by <> OLD.noted_by OR NEW.noted_at <> OLD.noted_at
BEGIN SELECT RAISE(ABORT, 'person_leave goes forward only'); END;

CREATE TRIGGER person_leave_no_delete BEFORE DELETE ON person_leave
BEGIN SELECT RAISE(ABORT, 'person_leave is never deleted'); END;

-- INSERT OR REPLACE deletes without firing a delete trigger: what it would replace is refused first.
CREATE TRIGGER person_leave_no_replace BEFORE INSERT ON person_leave
WHEN EXISTS (SELECT 1 FROM person_leave AS old WHERE old.id = NEW.id)
  OR EXISTS (SELECT 1 FROM person_leave AS old WHERE old.person = NEW.person AND old.closed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: person_leave exists'); END;

CREATE TABLE person_move (
    id           BLOB NOT NULL PRIMARY KEY,
    person       BLOB NOT NULL REFERENCES person (id),
    role         TEXT,
    noted_by     BLOB NOT NULL REFERENCES person (id),
    noted_at     INTEGER NOT NULL,
    covers_until INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    settled_at   INTEGER,
    version      INTEGER NOT NULL CHECK (version >= 1),
    CHECK (covers_until >= noted_at),
    CHECK (effective_at >= noted_at)
) STRICT;

CREATE INDEX person_move_person ON person_move (person, covers_until);

CREATE INDEX person_move_due ON person_move (effective_at) WHERE settled_at IS NULL;

CREATE TRIGGER person_move_settle_only BEFORE UPDATE ON person_move
WHEN OLD.settled_at IS NOT NULL OR NEW.settled_at IS NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person
  OR NEW.role IS NOT OLD.role OR NEW.noted_by <> OLD.noted_by OR NEW.noted_at <> OLD.noted_at
  OR NEW.covers_until <> OLD.covers_until OR NEW.effective_at <> OLD.effective_at
BEGIN SELECT RAISE(ABORT, 'person_move can only be settled'); END;

CREATE TRIGGER person_move_no_delete BEFORE DELETE ON person_move
BEGIN SELECT RAISE(ABORT, 'person_move is never deleted'); END;

CREATE TRIGGER person_move_no_replace BEFORE INSERT ON person_move
WHEN EXISTS (SELECT 1 FROM person_move AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: person_move exists'); END;
