-- What the reader of a chart is asked by who reviews the emergency: in which words, by whom, and when it was
-- answered. What was asked before has none.
-- The same columns stand in migrations/sqlite under the same number and name.

ALTER TABLE emergency_review ADD COLUMN question_sealed BYTEA;

ALTER TABLE emergency_review ADD COLUMN asked_by UUID REFERENCES person (id) CHECK (asked_by <> reader);

ALTER TABLE emergency_review ADD COLUMN asked_at BIGINT
    CHECK ((asked_at IS NULL) = (asked_by IS NULL) AND (asked_at IS NULL) = (question_sealed IS NULL));

ALTER TABLE emergency_review ADD COLUMN answered_at BIGINT
    CHECK (answered_at IS NULL OR (asked_at IS NOT NULL AND answered_at >= asked_at));
