-- An award pays for every index and every CHECK of what it writes.

-- An order's id and an idempotency key are unique over all journals, and so within one: one index says both.
ALTER TABLE orders DROP CONSTRAINT orders_pkey;
ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey;

-- Every statement reads and compiles each CHECK of its table anew: what a table must never hold is said in one.
ALTER TABLE wallet DROP CONSTRAINT wallet_not_negative, DROP CONSTRAINT wallet_lifetime_not_negative,
    DROP CONSTRAINT wallet_claimed_not_negative,
    ADD CONSTRAINT wallet_not_negative
        CHECK (LEAST(active, pending, held, debt, lifetime_earned, lifetime_spent, claimed) >= 0);
ALTER TABLE lot DROP CONSTRAINT lot_not_negative, DROP CONSTRAINT lot_expired_not_negative,
    ADD CONSTRAINT lot_not_negative CHECK (LEAST(pending, active, held, expired) >= 0);
ALTER TABLE orders DROP CONSTRAINT orders_amount_not_negative, DROP CONSTRAINT orders_refunded_within_amount,
    DROP CONSTRAINT orders_claimed_not_negative,
    ADD CONSTRAINT orders_in_range
        CHECK (amount >= 0 AND (refunded IS NULL OR refunded <= amount) AND (claimed IS NULL OR claimed >= 0));
ALTER TABLE journal DROP CONSTRAINT journal_next_seq_positive, DROP CONSTRAINT journal_head_hash_is_sha256,
    DROP CONSTRAINT journal_id_in_range,
    ADD CONSTRAINT journal_in_range CHECK (id BETWEEN 0 AND 4095 AND next_seq > 0 AND length(head_hash) = 32);
