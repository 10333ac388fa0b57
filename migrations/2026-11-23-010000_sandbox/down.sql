DROP INDEX wallet_due_idx;
-- The constraints and the grant go with the columns.
ALTER TABLE ledger DROP COLUMN clock_ahead, DROP COLUMN sandbox;
