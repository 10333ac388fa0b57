ALTER TABLE orders DROP CONSTRAINT orders_in_range;
-- Fails where an answer was left to its entry: the program of before could not give it again.
ALTER TABLE orders ALTER COLUMN response SET NOT NULL;
ALTER TABLE orders ADD COLUMN occurred_at timestamptz, ADD COLUMN currency text, ADD COLUMN amount numeric,
    ADD COLUMN discount numeric, ADD COLUMN channel text;
UPDATE orders SET occurred_at = e.effective_at, currency = e.stated ->> 'currency',
    amount = (e.stated ->> 'amount')::numeric, discount = (e.stated ->> 'discount')::numeric,
    channel = e.stated ->> 'channel'
FROM (SELECT journal, seq, effective_at, payload::json -> 'order' AS stated FROM entry
      WHERE kind IN ('order.recorded', 'points.earned')) AS e
WHERE e.journal = orders.journal AND e.seq = orders.seq;
ALTER TABLE orders ALTER COLUMN occurred_at SET NOT NULL, ALTER COLUMN currency SET NOT NULL,
    ALTER COLUMN amount SET NOT NULL;
ALTER TABLE orders ADD CONSTRAINT orders_in_range
    CHECK (amount >= 0 AND (refunded IS NULL OR refunded <= amount) AND (claimed IS NULL OR claimed >= 0));

DROP VIEW posting;
INSERT INTO further_posting (journal, seq, n, points, lot, debit, credit)
SELECT journal, seq, 0, points, lot, debit, credit FROM entry WHERE points IS NOT NULL;
ALTER TABLE entry DROP CONSTRAINT entry_in_range, ADD CONSTRAINT entry_hash_is_sha256 CHECK (length(hash) = 32);
ALTER TABLE entry DROP COLUMN points, DROP COLUMN lot, DROP COLUMN debit, DROP COLUMN credit;
ALTER TRIGGER further_posting_append_only ON further_posting RENAME TO posting_append_only;
ALTER INDEX further_posting_pkey RENAME TO posting_pkey;
ALTER TABLE further_posting RENAME CONSTRAINT further_posting_points_positive TO posting_points_positive;
ALTER TABLE further_posting RENAME TO posting;
