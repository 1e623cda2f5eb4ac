-- State, outbox, jobs, keys, persons, grants and packs.
-- The same tables stand in migrations/sqlite under the same number and name. Times are microseconds UTC. Columns that
-- end in _sealed hold what the Sealer made of them; columns that end in _blind hold its keyed index.

CREATE TABLE shard (
    shard       BIGINT  NOT NULL PRIMARY KEY,
    epoch       BIGINT  NOT NULL CHECK (epoch >= 1),
    seq         BIGINT  NOT NULL CHECK (seq >= 0),
    node        TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL
);

CREATE FUNCTION shard_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'shard goes forward only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER shard_goes_forward BEFORE UPDATE ON shard FOR EACH ROW
WHEN (NEW.shard <> OLD.shard OR NEW.seq < OLD.seq OR NEW.epoch < OLD.epoch)
EXECUTE FUNCTION shard_goes_forward();

CREATE FUNCTION shard_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'shard is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER shard_no_delete BEFORE DELETE OR TRUNCATE ON shard EXECUTE FUNCTION shard_no_delete();

CREATE TABLE event (
    shard       BIGINT  NOT NULL REFERENCES shard (shard),
    seq         BIGINT  NOT NULL CHECK (seq >= 1),
    id          UUID    NOT NULL UNIQUE,
    aggregate   TEXT    NOT NULL,
    version     BIGINT  NOT NULL CHECK (version >= 1),
    at          BIGINT  NOT NULL,
    kind        TEXT    NOT NULL,
    subjects    TEXT    NOT NULL,
    body_sealed BYTEA   NOT NULL,
    PRIMARY KEY (shard, seq),
    UNIQUE (aggregate, version)
);

CREATE FUNCTION event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'event is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event EXECUTE FUNCTION event_append_only();

-- The position must be the one that shard has just given out.
CREATE FUNCTION event_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM (SELECT shard.seq FROM shard WHERE shard.shard = NEW.shard) THEN
        RAISE EXCEPTION 'event is out of order' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER event_in_order BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION event_in_order();

CREATE TABLE job (
    id             UUID    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL,
    dedup_key      TEXT    UNIQUE,
    payload_sealed BYTEA   NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'failed')),
    enqueued_at    BIGINT  NOT NULL,
    run_at         BIGINT  NOT NULL,
    attempts       BIGINT  NOT NULL CHECK (attempts BETWEEN 0 AND attempts_max),
    attempts_max   BIGINT  NOT NULL CHECK (attempts_max BETWEEN 1 AND 100),
    lease          UUID,
    lease_until    BIGINT,
    finished_at    BIGINT,
    failure        TEXT,
    CHECK ((state = 'leased') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'failed' OR failure IS NOT NULL)
);

CREATE INDEX job_due ON job (state, run_at);

CREATE TABLE data_key (
    id           UUID    NOT NULL PRIMARY KEY,
    scope        TEXT    NOT NULL,
    period       BIGINT  NOT NULL,
    wrapping_key TEXT    NOT NULL,
    wrapped      BYTEA,
    created_at   BIGINT  NOT NULL,
    destroyed_at BIGINT,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE INDEX data_key_scope ON data_key (scope, period);

CREATE FUNCTION data_key_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'data_key can only be destroyed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER data_key_once BEFORE UPDATE ON data_key FOR EACH ROW
WHEN (OLD.destroyed_at IS NOT NULL OR NEW.destroyed_at IS NULL)
EXECUTE FUNCTION data_key_once();

CREATE FUNCTION data_key_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'data_key is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER data_key_no_delete BEFORE DELETE OR TRUNCATE ON data_key EXECUTE FUNCTION data_key_no_delete();

CREATE TABLE person (
    id             UUID    NOT NULL PRIMARY KEY,
    login_blind    BYTEA   NOT NULL UNIQUE,
    login_sealed   BYTEA   NOT NULL,
    name_sealed    BYTEA   NOT NULL,
    contact_sealed BYTEA,
    created_at     BIGINT  NOT NULL,
    left_at        BIGINT,
    version        BIGINT  NOT NULL CHECK (version >= 1)
);

CREATE TABLE role_grant (
    id                   UUID    NOT NULL PRIMARY KEY,
    person               UUID    NOT NULL REFERENCES person (id),
    role                 TEXT    NOT NULL,
    starts_at            BIGINT  NOT NULL,
    ends_at              BIGINT  NOT NULL,
    requested_by         UUID    NOT NULL REFERENCES person (id),
    approved_by          UUID    NOT NULL REFERENCES person (id),
    granted_at           BIGINT  NOT NULL,
    justification_sealed BYTEA   NOT NULL,
    revoked_by           UUID    REFERENCES person (id),
    revoked_at           BIGINT,
    version              BIGINT  NOT NULL CHECK (version >= 1),
    CONSTRAINT role_grant_window CHECK (starts_at < ends_at),
    CONSTRAINT role_grant_two_people CHECK (approved_by <> person AND approved_by <> requested_by),
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL)),
    CHECK (revoked_at IS NULL OR revoked_at >= granted_at)
);

CREATE INDEX role_grant_person ON role_grant (person, ends_at);

CREATE FUNCTION role_grant_revoke_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'role_grant can only be revoked' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER role_grant_revoke_only BEFORE UPDATE ON role_grant FOR EACH ROW
WHEN (OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at
  OR NEW.requested_by <> OLD.requested_by OR NEW.approved_by <> OLD.approved_by OR NEW.granted_at <> OLD.granted_at)
EXECUTE FUNCTION role_grant_revoke_only();

CREATE FUNCTION role_grant_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'role_grant is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER role_grant_no_delete BEFORE DELETE OR TRUNCATE ON role_grant EXECUTE FUNCTION role_grant_no_delete();

CREATE TABLE pack_version (
    id           UUID    NOT NULL PRIMARY KEY,
    hash         BYTEA   NOT NULL,
    engine       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('draft', 'checked', 'approved', 'active', 'retired')),
    criteria     TEXT    NOT NULL,
    rationale    TEXT    NOT NULL,
    proposed_by  UUID    NOT NULL REFERENCES person (id),
    proposed_at  BIGINT  NOT NULL,
    checked_at   BIGINT,
    approved_by  UUID    REFERENCES person (id),
    approved_at  BIGINT,
    activated_at BIGINT,
    retired_at   BIGINT,
    version      BIGINT  NOT NULL CHECK (version >= 1),
    CONSTRAINT pack_version_two_people CHECK (approved_by <> proposed_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK ((state = 'draft') = (checked_at IS NULL)),
    CHECK ((state IN ('draft', 'checked')) = (approved_at IS NULL)),
    CHECK ((state IN ('active', 'retired')) = (activated_at IS NOT NULL)),
    CHECK ((state = 'retired') = (retired_at IS NOT NULL))
);

CREATE UNIQUE INDEX pack_version_one_active ON pack_version (state) WHERE state = 'active';

CREATE FUNCTION pack_version_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version keeps what was proposed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_content BEFORE UPDATE ON pack_version FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.hash <> OLD.hash OR NEW.engine <> OLD.engine OR NEW.criteria <> OLD.criteria
  OR NEW.rationale <> OLD.rationale OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at
  OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
  OR OLD.state = 'retired')
EXECUTE FUNCTION pack_version_content();

CREATE FUNCTION pack_version_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'pack_version is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER pack_version_no_delete BEFORE DELETE OR TRUNCATE ON pack_version EXECUTE FUNCTION pack_version_no_delete();
