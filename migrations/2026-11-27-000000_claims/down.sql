ALTER TABLE wallet DROP COLUMN claimed;
REVOKE UPDATE (claimed, reversal) ON orders FROM accrue_service;
DROP INDEX orders_claimed_idx;
ALTER TABLE orders DROP COLUMN claimed, DROP COLUMN reversal;
ALTER TABLE lot DROP COLUMN expired;
