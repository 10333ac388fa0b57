ALTER TABLE reward ADD COLUMN supplied bigint,
    ADD COLUMN taken bigint NOT NULL DEFAULT 0 CONSTRAINT reward_taken_not_negative CHECK (taken >= 0),
    ADD CONSTRAINT reward_not_oversold CHECK (taken <= supplied);

UPDATE reward SET supplied = counter.most, taken = counter.taken FROM counter
WHERE counter.journal = reward.journal AND counter.id = reward.id;

DROP TABLE counter;

GRANT UPDATE (supplied, taken) ON reward TO accrue_service;
