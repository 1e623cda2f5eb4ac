-- From which place an access came, under a key: who reads from two places in turns is found (IL-01). What stands in the index from before
-- has none. The same columns stand in migrations/postgres under the same number and name.

ALTER TABLE chart_access ADD COLUMN place_blind BLOB;

CREATE INDEX chart_access_place ON chart_access (person, source, at, place_blind) WHERE place_blind IS NOT NULL;
