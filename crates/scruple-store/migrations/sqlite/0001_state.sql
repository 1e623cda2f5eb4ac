-- State, outbox, jobs, keys, persons, grants and packs.
-- The same tables stand in migrations/postgres under the same number and name. Times are microseconds UTC. Columns that
-- end in _sealed hold what the Sealer made of them; columns that end in _blind hold its keyed index.

CREATE TABLE shard (
    shard       INTEGER NOT NULL PRIMARY KEY,
    epoch       INTEGER NOT NULL CHECK (epoch >= 1),
    seq         INTEGER NOT NULL CHECK (seq >= 0),
    node        TEXT    NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TRIGGER shard_goes_forward BEFORE UPDATE ON shard
WHEN NEW.shard <> OLD.shard OR NEW.seq < OLD.seq OR NEW.epoch < OLD.epoch
BEGIN SELECT RAISE(ABORT, 'shard goes forward only'); END;

CREATE TRIGGER shard_no_delete BEFORE DELETE ON shard
BEGIN SELECT RAISE(ABORT, 'shard is never deleted'); END;

CREATE TABLE event (
    shard       INTEGER NOT NULL REFERENCES shard (shard),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    id          BLOB    NOT NULL UNIQUE,
    aggregate   TEXT    NOT NULL,
    version     INTEGER NOT NULL CHECK (version >= 1),
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    subjects    TEXT    NOT NULL,
    body_sealed BLOB    NOT NULL,
    PRIMARY KEY (shard, seq),
    UNIQUE (aggregate, version)
) STRICT;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

-- The position must be the one that shard has just given out. INSERT OR REPLACE deletes without firing a delete trigger,
-- so that the *_no_replace triggers refuse what exists.
CREATE TRIGGER event_in_order BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT shard.seq FROM shard WHERE shard.shard = NEW.shard)
BEGIN SELECT RAISE(ABORT, 'event is out of order'); END;

CREATE TRIGGER event_no_replace BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE event.id = NEW.id)
  OR EXISTS (SELECT 1 FROM event WHERE event.shard = NEW.shard AND event.seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM event WHERE event.aggregate = NEW.aggregate AND event.version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'conflict: event exists'); END;

CREATE TABLE job (
    id             BLOB    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL,
    dedup_key      TEXT    UNIQUE,
    payload_sealed BLOB    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'failed')),
    enqueued_at    INTEGER NOT NULL,
    run_at         INTEGER NOT NULL,
    attempts       INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND attempts_max),
    attempts_max   INTEGER NOT NULL CHECK (attempts_max BETWEEN 1 AND 100),
    lease          BLOB,
    lease_until    INTEGER,
    finished_at    INTEGER,
    failure        TEXT,
    CHECK ((state = 'leased') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'failed' OR failure IS NOT NULL)
) STRICT;

CREATE INDEX job_due ON job (state, run_at);

CREATE TABLE data_key (
    id           BLOB    NOT NULL PRIMARY KEY,
    scope        TEXT    NOT NULL,
    period       INTEGER NOT NULL,
    wrapping_key TEXT    NOT NULL,
    wrapped      BLOB,
    created_at   INTEGER NOT NULL,
    destroyed_at INTEGER,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) STRICT;

CREATE INDEX data_key_scope ON data_key (scope, period);

CREATE TRIGGER data_key_once BEFORE UPDATE ON data_key
WHEN OLD.destroyed_at IS NOT NULL OR NEW.destroyed_at IS NULL
BEGIN SELECT RAISE(ABORT, 'data_key can only be destroyed'); END;

CREATE TRIGGER data_key_no_delete BEFORE DELETE ON data_key
BEGIN SELECT RAISE(ABORT, 'data_key is never deleted'); END;

CREATE TRIGGER data_key_no_replace BEFORE INSERT ON data_key
WHEN EXISTS (SELECT 1 FROM data_key WHERE data_key.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: data_key exists'); END;

CREATE TABLE person (
    id             BLOB    NOT NULL PRIMARY KEY,
    login_blind    BLOB    NOT NULL UNIQUE,
    login_sealed   BLOB    NOT NULL,
    name_sealed    BLOB    NOT NULL,
    contact_sealed BLOB,
    created_at     INTEGER NOT NULL,
    left_at        INTEGER,
    version        INTEGER NOT NULL CHECK (version >= 1)
) STRICT;

CREATE TABLE role_grant (
    id                   BLOB    NOT NULL PRIMARY KEY,
    person               BLOB    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    starts_at            INTEGER NOT NULL,
    ends_at              INTEGER NOT NULL,
    requested_by         BLOB    NOT NULL REFERENCES person (id),
    approved_by          BLOB    NOT NULL REFERENCES person (id),
    granted_at           INTEGER NOT NULL,
    justification_sealed BLOB    NOT NULL,
    revoked_by           BLOB    REFERENCES person (id),
    revoked_at           INTEGER,
    version              INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT role_grant_window CHECK (starts_at < ends_at),
    CONSTRAINT role_grant_two_people CHECK (approved_by <> person AND approved_by <> requested_by),
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL)),
    CHECK (revoked_at IS NULL OR revoked_at >= granted_at)
) STRICT;

CREATE INDEX role_grant_person ON role_grant (person, ends_at);

CREATE TRIGGER role_grant_revoke_only BEFORE UPDATE ON role_grant
WHEN OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at
  OR NEW.requested_by <> OLD.requested_by OR NEW.approved_by <> OLD.approved_by OR NEW.granted_at <> OLD.granted_at
BEGIN SELECT RAISE(ABORT, 'role_grant can only be revoked'); END;

CREATE TRIGGER role_grant_no_delete BEFORE DELETE ON role_grant
BEGIN SELECT RAISE(ABORT, 'role_grant is never deleted'); END;

CREATE TRIGGER role_grant_no_replace BEFORE INSERT ON role_grant
WHEN EXISTS (SELECT 1 FROM role_grant WHERE role_grant.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: role_grant exists'); END;

CREATE TABLE pack_version (
    id           BLOB    NOT NULL PRIMARY KEY,
    hash         BLOB    NOT NULL,
    engine       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('draft', 'checked', 'approved', 'active', 'retired')),
    criteria     TEXT    NOT NULL,
    rationale    TEXT    NOT NULL,
    proposed_by  BLOB    NOT NULL REFERENCES person (id),
    proposed_at  INTEGER NOT NULL,
    checked_at   INTEGER,
    approved_by  BLOB    REFERENCES person (id),
    approved_at  INTEGER,
    activated_at INTEGER,
    retired_at   INTEGER,
    version      INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT pack_version_two_people CHECK (approved_by <> proposed_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK ((state = 'draft') = (checked_at IS NULL)),
    CHECK ((state IN ('draft', 'checked')) = (approved_at IS NULL)),
    CHECK ((state IN ('active', 'retired')) = (activated_at IS NOT NULL)),
    CHECK ((state = 'retired') = (retired_at IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX pack_version_one_active ON pack_version (state) WHERE state = 'active';

CREATE TRIGGER pack_version_no_delete BEFORE DELETE ON pack_version
BEGIN SELECT RAISE(ABORT, 'pack_version is never deleted'); END;

CREATE TRIGGER pack_version_no_replace BEFORE INSERT ON pack_version
WHEN EXISTS (SELECT 1 FROM pack_version WHERE pack_version.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: pack_version exists'); END;

CREATE TRIGGER pack_version_content BEFORE UPDATE ON pack_version
WHEN NEW.id <> OLD.id OR NEW.hash <> OLD.hash OR NEW.engine <> OLD.engine OR NEW.criteria <> OLD.criteria
  OR NEW.rationale <> OLD.rationale OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at
  OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
  OR OLD.state = 'retired'
BEGIN SELECT RAISE(ABORT, 'pack_version keeps what was proposed'); END;
