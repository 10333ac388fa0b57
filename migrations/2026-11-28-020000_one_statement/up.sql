-- An award is an entry with one posting, a lot, an order and a wallet: what one of these rows says, no other repeats.

-- The first posting of an entry stands in the entry's row; the further ones, which few entries have, stand in a table of
-- their own, and so do all those of the entries that were written before. The view is the truth in two columns, for
-- whoever asks in SQL.
ALTER TABLE posting RENAME TO further_posting;
ALTER TABLE further_posting RENAME CONSTRAINT posting_points_positive TO further_posting_points_positive;
ALTER INDEX posting_pkey RENAME TO further_posting_pkey;
ALTER TRIGGER posting_append_only ON further_posting RENAME TO further_posting_append_only;
ALTER TABLE entry ADD COLUMN points bigint, ADD COLUMN lot uuid, ADD COLUMN debit text, ADD COLUMN credit text;
ALTER TABLE entry DROP CONSTRAINT entry_hash_is_sha256,
    ADD CONSTRAINT entry_in_range CHECK (length(hash) = 32 AND (points IS NULL OR points > 0));
CREATE VIEW posting AS
    SELECT journal, seq, 0 AS n, points, lot, debit, credit FROM entry WHERE points IS NOT NULL
    UNION ALL
    SELECT journal, seq, n, points, lot, debit, credit FROM further_posting;
GRANT SELECT ON posting TO accrue_service;

-- Of an order its entry says the rest. `response` is what was answered, where that does not follow from the entry.
ALTER TABLE orders DROP CONSTRAINT orders_in_range;
ALTER TABLE orders DROP COLUMN occurred_at, DROP COLUMN currency, DROP COLUMN amount, DROP COLUMN discount,
    DROP COLUMN channel;
ALTER TABLE orders ALTER COLUMN response DROP NOT NULL;
ALTER TABLE orders ADD CONSTRAINT orders_in_range CHECK (LEAST(refunded, claimed) >= 0);
