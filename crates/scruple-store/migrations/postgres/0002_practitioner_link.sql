-- Who a person is in the record system: links to practitioners, confirmed by a second person, ended and never deleted.
-- The same table stands in migrations/sqlite under the same number and name.

CREATE TABLE practitioner_link (
    id           UUID    NOT NULL PRIMARY KEY,
    person       UUID    NOT NULL REFERENCES person (id),
    practitioner TEXT    NOT NULL,
    confirmed_by UUID    NOT NULL REFERENCES person (id),
    confirmed_at BIGINT  NOT NULL,
    ended_by     UUID    REFERENCES person (id),
    ended_at     BIGINT,
    version      BIGINT  NOT NULL CHECK (version >= 1),
    CONSTRAINT practitioner_link_two_people CHECK (confirmed_by <> person),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (ended_at IS NULL OR ended_at >= confirmed_at)
);

CREATE INDEX practitioner_link_person ON practitioner_link (person, id);

CREATE INDEX practitioner_link_open ON practitioner_link (practitioner) WHERE ended_at IS NULL;

CREATE UNIQUE INDEX practitioner_link_one_open ON practitioner_link (person, practitioner) WHERE ended_at IS NULL;

CREATE FUNCTION practitioner_link_end_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'practitioner_link can only be ended' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER practitioner_link_end_only BEFORE UPDATE ON practitioner_link FOR EACH ROW
WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.practitioner <> OLD.practitioner
  OR NEW.confirmed_by <> OLD.confirmed_by OR NEW.confirmed_at <> OLD.confirmed_at)
EXECUTE FUNCTION practitioner_link_end_only();

CREATE FUNCTION practitioner_link_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'practitioner_link is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER practitioner_link_no_delete BEFORE DELETE OR TRUNCATE ON practitioner_link
EXECUTE FUNCTION practitioner_link_no_delete();
