ALTER TABLE journal DROP CONSTRAINT journal_in_range,
    ADD CONSTRAINT journal_id_in_range CHECK (id BETWEEN 0 AND 4095),
    ADD CONSTRAINT journal_next_seq_positive CHECK (next_seq > 0),
    ADD CONSTRAINT journal_head_hash_is_sha256 CHECK (length(head_hash) = 32);
ALTER TABLE orders DROP CONSTRAINT orders_in_range,
    ADD CONSTRAINT orders_amount_not_negative CHECK (amount >= 0),
    ADD CONSTRAINT orders_refunded_within_amount CHECK (refunded <= amount),
    ADD CONSTRAINT orders_claimed_not_negative CHECK (claimed >= 0);
ALTER TABLE lot DROP CONSTRAINT lot_not_negative,
    ADD CONSTRAINT lot_not_negative CHECK (pending >= 0 AND active >= 0 AND held >= 0),
    ADD CONSTRAINT lot_expired_not_negative CHECK (expired >= 0);
ALTER TABLE wallet DROP CONSTRAINT wallet_not_negative,
    ADD CONSTRAINT wallet_not_negative CHECK (active >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0),
    ADD CONSTRAINT wallet_lifetime_not_negative CHECK (lifetime_earned >= 0 AND lifetime_spent >= 0),
    ADD CONSTRAINT wallet_claimed_not_negative CHECK (claimed >= 0);
ALTER TABLE idempotency ADD PRIMARY KEY (journal, caller, operation, key);
ALTER TABLE orders ADD PRIMARY KEY (journal, order_id);
