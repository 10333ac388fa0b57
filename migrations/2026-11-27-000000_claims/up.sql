-- Refunds take nothing that had expired, set what is due off against what comes back, and claim what is held.

-- How many points of a lot expired or were forfeit: postings into `breakage` that name it.
ALTER TABLE lot ADD COLUMN expired bigint NOT NULL DEFAULT 0
    CONSTRAINT lot_expired_not_negative CHECK (expired >= 0);
UPDATE lot SET expired = gone.points
    FROM (SELECT journal, lot, sum(points) AS points FROM posting
          WHERE credit = 'breakage' AND lot IS NOT NULL GROUP BY journal, lot) AS gone
    WHERE lot.journal = gone.journal AND lot.id = gone.lot;

-- What of an order's refunds is claimed of held points, and the reversal as its last refund states it, less what of the
-- claim was paid or let go since; null before the first refund, and after one that was written before there were claims.
ALTER TABLE orders ADD COLUMN claimed bigint CONSTRAINT orders_claimed_not_negative CHECK (claimed >= 0),
    ADD COLUMN reversal text;
CREATE INDEX orders_claimed_idx ON orders (member) WHERE claimed > 0;
GRANT UPDATE (claimed, reversal) ON orders TO accrue_service;

-- The sum of a member's claims, so that nobody who has none is asked for them.
ALTER TABLE wallet ADD COLUMN claimed bigint NOT NULL DEFAULT 0
    CONSTRAINT wallet_claimed_not_negative CHECK (claimed >= 0);
