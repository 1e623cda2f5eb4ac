-- Devices as their management tells them (IL-04), the messages that were taken, the device of a session, and which accesses came from
-- outside (IL-16). The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE device_posture (
    id             BLOB    NOT NULL PRIMARY KEY,
    status         TEXT    NOT NULL CHECK (status IN ('unstated', 'compliant', 'not_compliant')),
    managed        INTEGER CHECK (managed IN (0, 1)),
    disk_encrypted INTEGER CHECK (disk_encrypted IN (0, 1)),
    os_patched     INTEGER CHECK (os_patched IN (0, 1)),
    screen_lock    INTEGER CHECK (screen_lock IN (0, 1)),
    told_at        INTEGER NOT NULL,
    version        INTEGER NOT NULL CHECK (version >= 1)
) STRICT;

CREATE TRIGGER device_posture_begins BEFORE INSERT ON device_posture
WHEN NEW.version <> 1 OR EXISTS (SELECT 1 FROM device_posture AS old WHERE old.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: device_posture begins once'); END;

CREATE TRIGGER device_posture_goes_on BEFORE UPDATE ON device_posture
WHEN NEW.id <> OLD.id OR NEW.version <> OLD.version + 1 OR NEW.told_at < OLD.told_at
  OR (NEW.told_at = OLD.told_at AND NEW.status <> OLD.status AND NEW.status <> 'not_compliant')
BEGIN SELECT RAISE(ABORT, 'device_posture does not go this way'); END;

CREATE TRIGGER device_posture_no_delete BEFORE DELETE ON device_posture
BEGIN SELECT RAISE(ABORT, 'device_posture is never deleted'); END;

CREATE TABLE signal_taken (
    hash     BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    taken_at INTEGER NOT NULL
) STRICT;

CREATE INDEX signal_taken_at ON signal_taken (taken_at);

CREATE TRIGGER signal_taken_no_update BEFORE UPDATE ON signal_taken
BEGIN SELECT RAISE(ABORT, 'signal_taken is never changed'); END;

ALTER TABLE session ADD COLUMN device_id BLOB;

CREATE INDEX session_device ON session (device_id) WHERE device_id IS NOT NULL;

ALTER TABLE chart_access ADD COLUMN outside INTEGER NOT NULL DEFAULT 0 CHECK (outside IN (0, 1));
