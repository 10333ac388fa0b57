-- A database is a sandbox or not, for good. In a sandbox the programme's clock can be moved forward: it shows the
-- database's time and `clock_ahead` microseconds more.
ALTER TABLE ledger
    ADD COLUMN sandbox boolean NOT NULL DEFAULT false,
    ADD COLUMN clock_ahead bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT ledger_clock_ahead_not_negative CHECK (clock_ahead >= 0),
    ADD CONSTRAINT ledger_clock_ahead_in_sandbox_only CHECK (sandbox OR clock_ahead = 0);

-- The demonstration was never anything else.
UPDATE ledger SET sandbox = true WHERE demo_shift_days IS NOT NULL;

GRANT UPDATE (clock_ahead) ON ledger TO accrue_service;

-- Whose wallets have something due, for the sweeper. With the member it gives the order of its pages: at a month's end
-- many thousand wallets fall due at one instant.
CREATE INDEX wallet_due_idx ON wallet (next_due_at, member) WHERE next_due_at IS NOT NULL;
