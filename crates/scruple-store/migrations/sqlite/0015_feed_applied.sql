-- How far each node had applied the feed, and when: what was taken back is refused by every node from then on (FM-09).
-- The same tables stand in migrations/postgres under the same number and name.

CREATE TABLE feed_applied (
    node  TEXT    NOT NULL,
    shard INTEGER NOT NULL,
    seq   INTEGER NOT NULL CHECK (seq >= 0),
    at    INTEGER NOT NULL,
    PRIMARY KEY (node, shard, seq)
) STRICT;

CREATE INDEX feed_applied_at ON feed_applied (at);

CREATE INDEX event_kind ON event (kind, at);

CREATE TRIGGER feed_applied_no_update BEFORE UPDATE ON feed_applied
BEGIN SELECT RAISE(ABORT, 'feed_applied is append-only'); END;

CREATE TRIGGER feed_applied_no_delete BEFORE DELETE ON feed_applied
BEGIN SELECT RAISE(ABORT, 'feed_applied is never deleted'); END;
