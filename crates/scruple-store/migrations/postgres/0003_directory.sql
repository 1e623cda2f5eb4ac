-- Who is here: what the directory of HR tells of each person, its groups, leaves and moves.
-- The same tables stand in migrations/sqlite under the same number and name. Leaves and moves are ended and never deleted.

CREATE TABLE directory (
    person                 UUID NOT NULL PRIMARY KEY REFERENCES person (id),
    employee_number_blind  BYTEA,
    employee_number_sealed BYTEA,
    external_id_blind      BYTEA,
    external_id_sealed     BYTEA,
    title_sealed           BYTEA,
    department_blind       BYTEA,
    department_sealed      BYTEA,
    organisation_sealed    BYTEA,
    manager                UUID REFERENCES person (id),
    employment             TEXT CHECK (employment IN ('employee', 'medical_staff', 'affiliate', 'trainee', 'volunteer',
                                                      'agency', 'business_associate', 'service')),
    document_sealed        BYTEA NOT NULL,
    created_at             BIGINT NOT NULL,
    changed_at             BIGINT NOT NULL,
    deleted_at             BIGINT,
    version                BIGINT NOT NULL CHECK (version >= 1),
    CHECK ((employee_number_blind IS NULL) = (employee_number_sealed IS NULL)),
    CHECK ((external_id_blind IS NULL) = (external_id_sealed IS NULL)),
    CHECK ((department_blind IS NULL) = (department_sealed IS NULL)),
    CHECK (manager <> person)
);

CREATE UNIQUE INDEX directory_employee_number ON directory (employee_number_blind) WHERE deleted_at IS NULL;

CREATE INDEX directory_external_id ON directory (external_id_blind);

CREATE INDEX directory_department ON directory (department_blind);

CREATE INDEX directory_manager ON directory (manager);

CREATE TABLE scim_group (
    id                 UUID NOT NULL PRIMARY KEY,
    display_blind      BYTEA NOT NULL,
    display_sealed     BYTEA NOT NULL,
    external_id_blind  BYTEA,
    external_id_sealed BYTEA,
    role               TEXT,
    mapped_by          UUID REFERENCES person (id),
    mapped_at          BIGINT,
    created_at         BIGINT NOT NULL,
    changed_at         BIGINT NOT NULL,
    deleted_at         BIGINT,
    version            BIGINT NOT NULL CHECK (version >= 1),
    CHECK ((external_id_blind IS NULL) = (external_id_sealed IS NULL)),
    CHECK ((role IS NULL) = (mapped_by IS NULL)),
    CHECK ((mapped_by IS NULL) = (mapped_at IS NULL))
);

CREATE INDEX scim_group_display ON scim_group (display_blind);

CREATE INDEX scim_group_external_id ON scim_group (external_id_blind);

CREATE TABLE scim_member (
    scim_group UUID NOT NULL REFERENCES scim_group (id),
    person     UUID NOT NULL REFERENCES person (id),
    since      BIGINT NOT NULL,
    PRIMARY KEY (scim_group, person)
);

CREATE INDEX scim_member_person ON scim_member (person);

CREATE TABLE person_leave (
    id        UUID NOT NULL PRIMARY KEY,
    person    UUID NOT NULL REFERENCES person (id),
    starts_at BIGINT NOT NULL,
    noted_by  UUID NOT NULL REFERENCES person (id),
    noted_at  BIGINT NOT NULL,
    ended_at  BIGINT,
    closed_by UUID REFERENCES person (id),
    closed_at BIGINT,
    version   BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT person_leave_second_person CHECK (closed_by <> person),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL))
);

CREATE UNIQUE INDEX person_leave_one_open ON person_leave (person) WHERE closed_at IS NULL;

CREATE INDEX person_leave_person ON person_leave (person, starts_at);

CREATE FUNCTION person_leave_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'person_leave goes forward only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER person_leave_forward BEFORE UPDATE ON person_leave FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.starts_at > OLD.starts_at
  OR NEW.noted_by <> OLD.noted_by OR NEW.noted_at <> OLD.noted_at)
EXECUTE FUNCTION person_leave_forward();

CREATE FUNCTION person_leave_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'person_leave is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER person_leave_no_delete BEFORE DELETE OR TRUNCATE ON person_leave
EXECUTE FUNCTION person_leave_no_delete();

CREATE TABLE person_move (
    id           UUID NOT NULL PRIMARY KEY,
    person       UUID NOT NULL REFERENCES person (id),
    role         TEXT,
    noted_by     UUID NOT NULL REFERENCES person (id),
    noted_at     BIGINT NOT NULL,
    covers_until BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    settled_at   BIGINT,
    version      BIGINT NOT NULL CHECK (version >= 1),
    CHECK (covers_until >= noted_at),
    CHECK (effective_at >= noted_at)
);

CREATE INDEX person_move_person ON person_move (person, covers_until);

CREATE INDEX person_move_due ON person_move (effective_at) WHERE settled_at IS NULL;

CREATE FUNCTION person_move_settle_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'person_move can only be settled' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER person_move_settle_only BEFORE UPDATE ON person_move FOR EACH ROW
WHEN (OLD.settled_at IS NOT NULL OR NEW.settled_at IS NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person
  OR NEW.role IS DISTINCT FROM OLD.role OR NEW.noted_by <> OLD.noted_by OR NEW.noted_at <> OLD.noted_at
  OR NEW.covers_until <> OLD.covers_until OR NEW.effective_at <> OLD.effective_at)
EXECUTE FUNCTION person_move_settle_only();

CREATE FUNCTION person_move_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'person_move is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER person_move_no_delete BEFORE DELETE OR TRUNCATE ON person_move
EXECUTE FUNCTION person_move_no_delete();
