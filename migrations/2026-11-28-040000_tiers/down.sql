DROP TABLE tier_total, tier_review;
ALTER TABLE wallet DROP COLUMN tier;
UPDATE wallet SET next_due_at = points_due_at WHERE next_due_at IS DISTINCT FROM points_due_at;
ALTER TABLE wallet DROP COLUMN points_due_at;
ALTER TABLE wallet DROP COLUMN spending;
ALTER TABLE member DROP COLUMN standing;
