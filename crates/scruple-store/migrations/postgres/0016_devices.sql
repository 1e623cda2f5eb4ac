-- Devices as their management tells them (IL-04), the messages that were taken, the device of a session, and which accesses came from
-- outside (IL-16). The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE device_posture (
    id             UUID   NOT NULL PRIMARY KEY,
    status         TEXT   NOT NULL CHECK (status IN ('unstated', 'compliant', 'not_compliant')),
    managed        BIGINT CHECK (managed IN (0, 1)),
    disk_encrypted BIGINT CHECK (disk_encrypted IN (0, 1)),
    os_patched     BIGINT CHECK (os_patched IN (0, 1)),
    screen_lock    BIGINT CHECK (screen_lock IN (0, 1)),
    told_at        BIGINT NOT NULL,
    version        BIGINT NOT NULL CHECK (version >= 1)
);

CREATE FUNCTION device_posture_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version <> 1 THEN
        RAISE EXCEPTION 'device_posture begins once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER device_posture_begins BEFORE INSERT ON device_posture FOR EACH ROW
EXECUTE FUNCTION device_posture_begins();

CREATE FUNCTION device_posture_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.version <> OLD.version + 1 OR NEW.told_at < OLD.told_at
       OR (NEW.told_at = OLD.told_at AND NEW.status <> OLD.status AND NEW.status <> 'not_compliant') THEN
        RAISE EXCEPTION 'device_posture does not go this way' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER device_posture_goes_on BEFORE UPDATE ON device_posture FOR EACH ROW
EXECUTE FUNCTION device_posture_goes_on();

CREATE FUNCTION device_posture_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'device_posture is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER device_posture_no_delete BEFORE DELETE OR TRUNCATE ON device_posture
EXECUTE FUNCTION device_posture_no_delete();

CREATE TABLE signal_taken (
    hash     BYTEA  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    taken_at BIGINT NOT NULL
);

CREATE INDEX signal_taken_at ON signal_taken (taken_at);

CREATE FUNCTION signal_taken_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'signal_taken is never changed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER signal_taken_no_update BEFORE UPDATE ON signal_taken FOR EACH ROW
EXECUTE FUNCTION signal_taken_no_update();

ALTER TABLE session ADD COLUMN device_id UUID;

CREATE INDEX session_device ON session (device_id) WHERE device_id IS NOT NULL;

ALTER TABLE chart_access ADD COLUMN outside BIGINT NOT NULL DEFAULT 0 CHECK (outside IN (0, 1));
