-- How far each node had applied the feed, and when: what was taken back is refused by every node from then on (FM-09).
-- The same tables stand in migrations/sqlite under the same number and name.

CREATE TABLE feed_applied (
    node  TEXT   NOT NULL,
    shard BIGINT NOT NULL,
    seq   BIGINT NOT NULL CHECK (seq >= 0),
    at    BIGINT NOT NULL,
    PRIMARY KEY (node, shard, seq)
);

CREATE INDEX feed_applied_at ON feed_applied (at);

CREATE INDEX event_kind ON event (kind, at);

CREATE FUNCTION feed_applied_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'feed_applied is append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER feed_applied_no_update BEFORE UPDATE ON feed_applied FOR EACH ROW
EXECUTE FUNCTION feed_applied_no_update();

CREATE FUNCTION feed_applied_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'feed_applied is never deleted' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER feed_applied_no_delete BEFORE DELETE OR TRUNCATE ON feed_applied EXECUTE FUNCTION feed_applied_no_delete();
