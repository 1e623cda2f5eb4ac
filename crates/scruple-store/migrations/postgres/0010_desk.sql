-- The desk: who stands in for whom, what happens when nobody answers, access that is prolonged, and what was read before it is asked for.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE deputy (
    id          UUID    NOT NULL PRIMARY KEY,
    principal   UUID    NOT NULL REFERENCES person (id),
    deputy      UUID    NOT NULL REFERENCES person (id),
    capacity    TEXT    NOT NULL CHECK (capacity IN ('approver', 'reviewer')),
    starts_at   BIGINT  NOT NULL,
    ends_at     BIGINT  NOT NULL,
    named_at    BIGINT  NOT NULL,
    accepted_at BIGINT,
    ended_by    UUID    REFERENCES person (id),
    ended_at    BIGINT,
    version     BIGINT  NOT NULL CHECK (version >= 1),
    CONSTRAINT deputy_two_people CHECK (deputy <> principal),
    CONSTRAINT deputy_window CHECK (starts_at < ends_at),
    CONSTRAINT deputy_ended_by CHECK (ended_by IN (principal, deputy)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (accepted_at IS NULL OR accepted_at < ends_at)
);

CREATE INDEX deputy_of ON deputy (deputy, ends_at);
CREATE INDEX deputy_principal ON deputy (principal, ends_at);

CREATE FUNCTION deputy_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'deputy begins named' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER deputy_begins BEFORE INSERT ON deputy FOR EACH ROW
WHEN (NEW.version <> 1 OR NEW.accepted_at IS NOT NULL OR NEW.ended_at IS NOT NULL)
EXECUTE FUNCTION deputy_begins();

CREATE FUNCTION deputy_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'deputy is accepted and ended, and nothing else' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER deputy_goes_on BEFORE UPDATE ON deputy FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.principal <> OLD.principal OR NEW.deputy <> OLD.deputy OR NEW.capacity <> OLD.capacity
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at OR NEW.named_at <> OLD.named_at OR OLD.ended_at IS NOT NULL
  OR (OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS DISTINCT FROM OLD.accepted_at)
  OR (NEW.ended_at IS NOT NULL AND NEW.accepted_at IS DISTINCT FROM OLD.accepted_at)
  OR (NEW.ended_at IS NULL AND NEW.accepted_at IS NOT DISTINCT FROM OLD.accepted_at))
EXECUTE FUNCTION deputy_goes_on();

CREATE FUNCTION deputy_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'deputy is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER deputy_no_delete BEFORE DELETE OR TRUNCATE ON deputy EXECUTE FUNCTION deputy_no_delete();

ALTER TABLE access_request ADD COLUMN backup TEXT;
ALTER TABLE access_request ADD COLUMN escalate_hours BIGINT CHECK (escalate_hours IS NULL OR (escalate_hours >= 1 AND backup IS NOT NULL));
ALTER TABLE access_request ADD COLUMN extends UUID REFERENCES access_request (id);
ALTER TABLE access_request ADD COLUMN extension BIGINT CHECK (extension IS NULL OR (extension >= 1 AND extends IS NOT NULL));
ALTER TABLE access_request ADD COLUMN extends_since BIGINT CHECK (extends_since IS NULL OR (extends_since < ends_at AND extends IS NOT NULL));
ALTER TABLE access_request ADD COLUMN acknowledged TEXT;

-- What is prolonged is prolonged by one request at a time.
CREATE UNIQUE INDEX access_request_extended_once ON access_request (extends) WHERE extends IS NOT NULL AND state IN ('draft', 'pending', 'approved');

CREATE FUNCTION access_request_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request keeps what it prolongs and what was read' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_keeps BEFORE UPDATE ON access_request FOR EACH ROW
WHEN (NEW.backup IS DISTINCT FROM OLD.backup OR NEW.escalate_hours IS DISTINCT FROM OLD.escalate_hours
  OR NEW.extends IS DISTINCT FROM OLD.extends OR NEW.extension IS DISTINCT FROM OLD.extension
  OR NEW.extends_since IS DISTINCT FROM OLD.extends_since OR NEW.acknowledged IS DISTINCT FROM OLD.acknowledged)
EXECUTE FUNCTION access_request_keeps();

CREATE FUNCTION access_request_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'access_request names its backup and what it prolongs as a whole' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER access_request_whole BEFORE INSERT ON access_request FOR EACH ROW
WHEN ((NEW.backup IS NULL) <> (NEW.escalate_hours IS NULL) OR (NEW.extends IS NULL) <> (NEW.extension IS NULL)
  OR (NEW.extends IS NULL) <> (NEW.extends_since IS NULL))
EXECUTE FUNCTION access_request_whole();

CREATE FUNCTION access_request_extends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM access_request AS earlier
                 WHERE earlier.id = NEW.extends AND earlier.state = 'approved' AND earlier.person = NEW.person
                   AND earlier.role = NEW.role AND earlier.ends_at < NEW.ends_at
                   AND NEW.extension = COALESCE(earlier.extension, 0) + 1
                   AND NEW.extends_since = COALESCE(earlier.extends_since, earlier.starts_at)) THEN
    RAISE EXCEPTION 'access_request prolongs no access of this person' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER access_request_extends BEFORE INSERT ON access_request FOR EACH ROW
WHEN (NEW.extends IS NOT NULL)
EXECUTE FUNCTION access_request_extends();

CREATE TABLE alert (
    id        UUID    NOT NULL PRIMARY KEY,
    kind      TEXT    NOT NULL CHECK (kind IN ('requests_of_person', 'requests_for_role', 'emergencies_of_person')),
    person    UUID    REFERENCES person (id),
    role      TEXT,
    count     BIGINT  NOT NULL,
    limited   BIGINT  NOT NULL,
    raised_at BIGINT  NOT NULL,
    CHECK (count > limited),
    CHECK ((kind = 'requests_for_role') = (role IS NOT NULL) AND (kind = 'requests_for_role') = (person IS NULL))
);

CREATE INDEX alert_raised ON alert (raised_at, id);
CREATE INDEX access_request_asked ON access_request (requested_by, submitted_at);
CREATE INDEX access_request_role ON access_request (role, submitted_at);

CREATE FUNCTION alert_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'alert is never changed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER alert_no_update BEFORE UPDATE ON alert FOR EACH ROW
EXECUTE FUNCTION alert_no_update();

CREATE FUNCTION alert_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'alert is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER alert_no_delete BEFORE DELETE OR TRUNCATE ON alert EXECUTE FUNCTION alert_no_delete();
