-- Emergencies: the second confirmation, by which what is specially protected is opened too.
-- The same tables stand in migrations/postgres under the same number and name.

ALTER TABLE elevation ADD COLUMN protected_at INTEGER
    CHECK (protected_at IS NULL OR (kind = 'emergency' AND protected_at >= granted_at AND protected_at < ends_at));

CREATE TRIGGER elevation_unconfirmed BEFORE INSERT ON elevation
WHEN NEW.protected_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'elevation begins without what is specially protected'); END;

-- It is ended, or confirmed once, and nothing else.
DROP TRIGGER elevation_end_only;

CREATE TRIGGER elevation_end_only BEFORE UPDATE ON elevation
WHEN OLD.ended_at IS NOT NULL OR (NEW.ended_at IS NULL) = (NEW.protected_at IS NOT DISTINCT FROM OLD.protected_at)
  OR (OLD.protected_at IS NOT NULL AND NEW.protected_at IS DISTINCT FROM OLD.protected_at)
  OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.role <> OLD.role OR NEW.purpose IS DISTINCT FROM OLD.purpose
  OR NEW.patient_blind <> OLD.patient_blind OR NEW.kind <> OLD.kind OR NEW.reason IS DISTINCT FROM OLD.reason
  OR NEW.request IS DISTINCT FROM OLD.request OR NEW.review IS DISTINCT FROM OLD.review
  OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at OR NEW.granted_at <> OLD.granted_at
BEGIN SELECT RAISE(ABORT, 'elevation can only be confirmed once and ended'); END;
