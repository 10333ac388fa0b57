-- Where a member stands among the tiers stands with the member, since it seldom changes. What its orders come to stands with
-- the wallet, which every order writes anyway. Both are the texts that the entries state.
ALTER TABLE member ADD COLUMN standing text;
ALTER TABLE wallet ADD COLUMN spending text;
GRANT UPDATE (standing) ON member TO accrue_service;

-- When something next falls due of a wallet stands in `next_due_at`; of its points alone, here: the end of a tier's term
-- is known by the standing, and moves.
ALTER TABLE wallet ADD COLUMN points_due_at timestamptz;
UPDATE wallet SET points_due_at = next_due_at WHERE next_due_at IS NOT NULL;

-- The code of the tier that the member has, so that a wallet is read without its member.
ALTER TABLE wallet ADD COLUMN tier text;

-- How many members of a journal have a tier, so that nobody counts them.
CREATE TABLE tier_total (
    journal smallint NOT NULL,
    members bigint NOT NULL,
    tier text NOT NULL,
    PRIMARY KEY (journal, tier)
) WITH (fillfactor = 50);
CREATE INDEX tier_total_tier_idx ON tier_total (tier);
GRANT SELECT, INSERT ON tier_total TO accrue_service;
GRANT UPDATE (members) ON tier_total TO accrue_service;

-- How far the members of a journal have been looked at anew after a version of the programme that has other tiers, so that
-- it goes on where it was left. It follows from no entry.
CREATE TABLE tier_review (
    journal smallint NOT NULL,
    version integer NOT NULL,
    after uuid NOT NULL,
    members bigint NOT NULL,
    done boolean NOT NULL,
    PRIMARY KEY (journal, version)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT ON tier_review TO accrue_service;
GRANT UPDATE (after, members, done) ON tier_review TO accrue_service;
