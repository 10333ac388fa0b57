-- Refunds of nothing that are there stay, as the journals state them.
ALTER TABLE refund DROP CONSTRAINT refund_amount_not_negative,
    ADD CONSTRAINT refund_amount_positive CHECK (amount > 0) NOT VALID;
