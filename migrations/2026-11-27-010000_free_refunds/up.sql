-- What was free comes back for nothing, and so does an order of nothing.
ALTER TABLE refund DROP CONSTRAINT refund_amount_positive,
    ADD CONSTRAINT refund_amount_not_negative CHECK (amount >= 0);
