-- The life of an account: when it was last used, that it lies idle, and what is registered of those that systems have.
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE account_use (
    person  UUID   NOT NULL PRIMARY KEY REFERENCES person (id),
    used_at BIGINT NOT NULL
);

-- Of the time before there is no record: nobody lay idle in it.
INSERT INTO account_use (person, used_at) SELECT id, CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) * 1000000 FROM person;

CREATE FUNCTION account_use_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'account_use goes forward only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER account_use_forward BEFORE UPDATE ON account_use FOR EACH ROW
WHEN (NEW.person <> OLD.person OR NEW.used_at < OLD.used_at)
EXECUTE FUNCTION account_use_forward();

CREATE FUNCTION account_use_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'account_use is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER account_use_no_delete BEFORE DELETE OR TRUNCATE ON account_use
EXECUTE FUNCTION account_use_no_delete();

CREATE TABLE dormancy (
    id          UUID   NOT NULL PRIMARY KEY,
    person      UUID   NOT NULL REFERENCES person (id),
    used_at     BIGINT NOT NULL,
    noticed_at  BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    outcome     TEXT   CHECK (outcome IN ('used', 'restored', 'left')),
    closed_by   UUID   REFERENCES person (id),
    closed_at   BIGINT,
    version     BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT dormancy_second_person CHECK (closed_by <> person),
    CHECK (used_at <= noticed_at AND noticed_at < disabled_at),
    CHECK ((outcome IS NULL) = (closed_at IS NULL)),
    CHECK (outcome IS NULL OR (outcome = 'used') = (closed_by IS NULL)),
    CHECK (outcome IS NOT NULL OR closed_by IS NULL),
    CHECK (outcome IS NULL OR outcome <> 'used' OR closed_at < disabled_at),
    CHECK (outcome IS NULL OR outcome <> 'restored' OR closed_at >= disabled_at)
);

CREATE UNIQUE INDEX dormancy_one_open ON dormancy (person) WHERE closed_at IS NULL;

CREATE INDEX dormancy_person ON dormancy (person, disabled_at);

CREATE FUNCTION dormancy_close_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'dormancy can only be closed' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER dormancy_close_only BEFORE UPDATE ON dormancy FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR NEW.id <> OLD.id OR NEW.person <> OLD.person
  OR NEW.used_at <> OLD.used_at OR NEW.noticed_at <> OLD.noticed_at OR NEW.disabled_at <> OLD.disabled_at)
EXECUTE FUNCTION dormancy_close_only();

CREATE FUNCTION dormancy_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'dormancy is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER dormancy_no_delete BEFORE DELETE OR TRUNCATE ON dormancy
EXECUTE FUNCTION dormancy_no_delete();

CREATE TABLE account (
    person         UUID   NOT NULL PRIMARY KEY REFERENCES person (id),
    kind           TEXT   NOT NULL CHECK (kind IN ('service', 'vendor', 'emergency')),
    owner          UUID   REFERENCES person (id),
    purpose_sealed BYTEA  NOT NULL,
    scopes         TEXT   NOT NULL CHECK (scopes <> ''),
    rotate_by      BIGINT NOT NULL,
    review_days    BIGINT NOT NULL CHECK (review_days BETWEEN 1 AND 366),
    reviewed_at    BIGINT NOT NULL,
    ends_at        BIGINT NOT NULL,
    version        BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT account_second_person CHECK (owner <> person)
);

CREATE INDEX account_owner ON account (owner);

CREATE FUNCTION account_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'account goes on version by version' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER account_goes_on BEFORE UPDATE ON account FOR EACH ROW
WHEN (NEW.person <> OLD.person OR NEW.version <> OLD.version + 1 OR NEW.reviewed_at < OLD.reviewed_at)
EXECUTE FUNCTION account_goes_on();

CREATE FUNCTION account_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'account is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER account_no_delete BEFORE DELETE OR TRUNCATE ON account
EXECUTE FUNCTION account_no_delete();
