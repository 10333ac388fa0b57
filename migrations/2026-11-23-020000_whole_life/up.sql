-- Holds, redemptions, rewards, refunds, donations, transfers, adjustments, and members who leave.

ALTER TABLE member DROP CONSTRAINT member_status_known,
    ADD CONSTRAINT member_status_known CHECK (status IN ('active', 'suspended', 'closed', 'erased'));
GRANT UPDATE (status) ON member TO accrue_service;

-- What a member earned and spent since joining.
ALTER TABLE wallet ADD COLUMN lifetime_earned bigint NOT NULL DEFAULT 0,
    ADD COLUMN lifetime_spent bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT wallet_lifetime_not_negative CHECK (lifetime_earned >= 0 AND lifetime_spent >= 0);
UPDATE wallet w SET lifetime_earned = sums.points
    FROM (SELECT e.journal, e.member, sum(p.points) AS points
          FROM entry e JOIN posting p ON p.journal = e.journal AND p.seq = e.seq
          WHERE p.debit = 'issuance' GROUP BY e.journal, e.member) AS sums
    WHERE w.journal = sums.journal AND w.member = sums.member;

-- Lots of one end are spent in the order of their ids, and so are read in it.
DROP INDEX lot_active_idx;
CREATE INDEX lot_active_idx ON lot (member, expires_at, id) WHERE active > 0;

-- What became of an order: sums over its refunds, null before the first. The items that came back are purchase details
-- and stand in no journal.
ALTER TABLE orders ADD COLUMN refunded numeric CONSTRAINT orders_refunded_within_amount CHECK (refunded <= amount),
    ADD COLUMN reversed bigint,
    ADD COLUMN returned bigint,
    ADD COLUMN refunded_items text;
GRANT UPDATE (refunded, reversed, returned, refunded_items, items, request_hash) ON orders TO accrue_service;

-- Refunds, each once for its order. `request_hash` and `response` answer one that is sent again (invariant 4).
CREATE TABLE refund (
    seq bigint NOT NULL,
    member uuid NOT NULL,
    journal smallint NOT NULL,
    order_id text NOT NULL,
    refund_id text NOT NULL,
    amount numeric NOT NULL CONSTRAINT refund_amount_positive CHECK (amount > 0),
    items text,
    request_hash bytea NOT NULL,
    response text NOT NULL,
    PRIMARY KEY (journal, order_id, refund_id)
);

-- Redemptions (a projection). `state` is the text that the last entry about it states.
CREATE TABLE redemption (
    created_at timestamptz NOT NULL,
    lapses_at timestamptz,
    id uuid NOT NULL,
    member uuid NOT NULL,
    reward uuid,
    journal smallint NOT NULL,
    status text NOT NULL
        CONSTRAINT redemption_status_known CHECK (status IN ('held', 'captured', 'voided', 'lapsed', 'returned')),
    state text NOT NULL,
    PRIMARY KEY (journal, id)
);
CREATE INDEX redemption_member_idx ON redemption (member, id);
CREATE INDEX redemption_held_idx ON redemption (member, lapses_at) WHERE status = 'held';
CREATE INDEX redemption_reward_idx ON redemption (member, reward)
    WHERE reward IS NOT NULL AND status IN ('held', 'captured');

-- Transfers, in the journal of the member who gives (a projection, as redemptions are).
CREATE TABLE transfer (
    created_at timestamptz NOT NULL,
    lapses_at timestamptz,
    id uuid NOT NULL,
    member uuid NOT NULL,
    receiver uuid NOT NULL,
    journal smallint NOT NULL,
    status text NOT NULL CONSTRAINT transfer_status_known
        CHECK (status IN ('offered', 'accepted', 'declined', 'cancelled', 'lapsed')),
    state text NOT NULL,
    PRIMARY KEY (journal, id)
);
CREATE INDEX transfer_member_idx ON transfer (member, id);
CREATE INDEX transfer_receiver_idx ON transfer (receiver, id);
CREATE INDEX transfer_day_idx ON transfer (member, created_at) WHERE status IN ('offered', 'accepted');
CREATE INDEX transfer_offered_idx ON transfer (member, lapses_at) WHERE status = 'offered';

-- Donations, with the number of the entry that each stands in (a projection).
CREATE TABLE donation (
    donated_at timestamptz NOT NULL,
    seq bigint NOT NULL,
    points bigint NOT NULL CONSTRAINT donation_points_positive CHECK (points > 0),
    id uuid NOT NULL,
    member uuid NOT NULL,
    cause uuid NOT NULL,
    journal smallint NOT NULL,
    PRIMARY KEY (journal, seq)
);
CREATE INDEX donation_member_idx ON donation (member, id);
CREATE INDEX donation_cause_idx ON donation (cause, id);

-- Causes (a projection of journal 0), and what each was given in each journal: no journal waits for another's total.
CREATE TABLE cause (
    id uuid NOT NULL,
    journal smallint NOT NULL,
    terms text NOT NULL,
    PRIMARY KEY (journal, id)
);
CREATE TABLE cause_total (
    cause uuid NOT NULL,
    points bigint NOT NULL,
    donations bigint NOT NULL,
    journal smallint NOT NULL,
    PRIMARY KEY (journal, cause)
) WITH (fillfactor = 50);
CREATE INDEX cause_total_cause_idx ON cause_total (cause);

-- Rewards (terms and supply a projection of journal 0, what is taken one of all journals). The row is the lock of the
-- stock: taken after the heads, in the order of ids, by batches that touch it.
CREATE TABLE reward (
    supplied bigint,
    taken bigint NOT NULL DEFAULT 0 CONSTRAINT reward_taken_not_negative CHECK (taken >= 0),
    id uuid NOT NULL,
    journal smallint NOT NULL,
    terms text NOT NULL,
    PRIMARY KEY (journal, id),
    CONSTRAINT reward_not_oversold CHECK (taken <= supplied)
) WITH (fillfactor = 50);

-- What people wrote: messages of transfers, notes of adjustments. Personal, no projection, and gone with either member.
-- `about` is the transfer, or the command of the adjustment.
CREATE TABLE note (
    journal smallint NOT NULL,
    about uuid NOT NULL,
    member uuid NOT NULL,
    other_member uuid,
    body text NOT NULL,
    PRIMARY KEY (journal, about)
);
CREATE INDEX note_member_idx ON note (member);
CREATE INDEX note_other_member_idx ON note (other_member) WHERE other_member IS NOT NULL;

-- Whom a remembered answer is about, where it holds something personal, so that erasure finds it.
ALTER TABLE idempotency ADD COLUMN member uuid;
UPDATE idempotency SET member = (outcome::json ->> 'id')::uuid
    WHERE NOT refused AND operation IN ('member.enrol', 'member.change');
CREATE INDEX idempotency_member_idx ON idempotency (member) WHERE member IS NOT NULL;
GRANT UPDATE (request_hash, refused, outcome) ON idempotency TO accrue_service;
GRANT DELETE ON member_profile TO accrue_service;

GRANT SELECT, INSERT ON refund, redemption, transfer, donation, cause, cause_total, reward, note TO accrue_service;
GRANT UPDATE (items, request_hash) ON refund TO accrue_service;
GRANT UPDATE (status, state) ON redemption, transfer TO accrue_service;
GRANT UPDATE (points, donations) ON cause_total TO accrue_service;
GRANT UPDATE (terms, supplied, taken) ON reward TO accrue_service;
GRANT DELETE ON note TO accrue_service;
