-- When whoever may decide on a request first opened it: how long he had it before him is measured, and nothing else.
-- The same table stands in migrations/sqlite under the same number and name.

CREATE TABLE request_opening (
    request   UUID   NOT NULL REFERENCES access_request (id),
    person    UUID   NOT NULL REFERENCES person (id),
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (request, person)
);

CREATE FUNCTION request_opening_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_opening is the first' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_opening_no_update BEFORE UPDATE ON request_opening FOR EACH ROW
EXECUTE FUNCTION request_opening_no_update();

CREATE FUNCTION request_opening_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'request_opening is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER request_opening_no_delete BEFORE DELETE OR TRUNCATE ON request_opening
EXECUTE FUNCTION request_opening_no_delete();
