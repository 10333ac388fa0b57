-- A counter belongs to no member, and records take of it: a reward's stock, under the reward's id. `most` is how much there
-- is, NULL without limit, as the journal that the counter stands in says; `taken` follows from the records of all journals
-- (a projection). Its row is the second class of locks, behind the heads and in the order of ids.
CREATE TABLE counter (
    most bigint,
    taken bigint NOT NULL DEFAULT 0 CONSTRAINT counter_taken_not_negative CHECK (taken >= 0),
    id uuid NOT NULL,
    journal smallint NOT NULL,
    PRIMARY KEY (journal, id),
    CONSTRAINT counter_not_overdrawn CHECK (taken <= most)
) WITH (fillfactor = 50);

INSERT INTO counter (most, taken, id, journal) SELECT supplied, taken, id, journal FROM reward;

ALTER TABLE reward DROP COLUMN supplied, DROP COLUMN taken;

GRANT SELECT, INSERT, UPDATE (most, taken) ON counter TO accrue_service;
