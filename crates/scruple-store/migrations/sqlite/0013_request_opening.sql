-- When whoever may decide on a request first opened it: how long he had it before him is measured, and nothing else.
-- The same table stands in migrations/postgres under the same number and name.

CREATE TABLE request_opening (
    request   BLOB    NOT NULL REFERENCES access_request (id),
    person    BLOB    NOT NULL REFERENCES person (id),
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (request, person)
) STRICT;

CREATE TRIGGER request_opening_no_update BEFORE UPDATE ON request_opening
BEGIN SELECT RAISE(ABORT, 'request_opening is the first'); END;

CREATE TRIGGER request_opening_no_delete BEFORE DELETE ON request_opening
BEGIN SELECT RAISE(ABORT, 'request_opening is never deleted'); END;

CREATE TRIGGER request_opening_no_replace BEFORE INSERT ON request_opening
WHEN EXISTS (SELECT 1 FROM request_opening AS old WHERE old.request = NEW.request AND old.person = NEW.person)
BEGIN SELECT RAISE(IGNORE); END;
