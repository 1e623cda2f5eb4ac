-- Guesses of codes since somebody last signed in, however far apart.
-- The same column stands in migrations/postgres under the same number and name.

ALTER TABLE sign_in_failure ADD COLUMN in_a_row INTEGER NOT NULL DEFAULT 1 CHECK (in_a_row >= 1);
-- What was counted before goes on.
UPDATE sign_in_failure SET in_a_row = failures;
