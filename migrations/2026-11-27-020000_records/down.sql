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
INSERT INTO redemption (created_at, lapses_at, id, member, reward, journal, status, state)
SELECT created_at, (state::json ->> 'lapses_at')::timestamptz, id, member, about, journal, status, state
FROM record WHERE kind = 'redemption';
CREATE INDEX redemption_member_idx ON redemption (member, id);
CREATE INDEX redemption_held_idx ON redemption (member, lapses_at) WHERE status = 'held';
CREATE INDEX redemption_reward_idx ON redemption (member, reward)
    WHERE reward IS NOT NULL AND status IN ('held', 'captured');

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
INSERT INTO transfer (created_at, lapses_at, id, member, receiver, journal, status, state)
SELECT created_at, (state::json ->> 'lapses_at')::timestamptz, id, member, about, journal, status, state
FROM record WHERE kind = 'transfer';
CREATE INDEX transfer_member_idx ON transfer (member, id);
CREATE INDEX transfer_receiver_idx ON transfer (receiver, id);
CREATE INDEX transfer_day_idx ON transfer (member, created_at) WHERE status IN ('offered', 'accepted');
CREATE INDEX transfer_offered_idx ON transfer (member, lapses_at) WHERE status = 'offered';

DROP TABLE record;

GRANT SELECT, INSERT, UPDATE (status, state) ON redemption, transfer TO accrue_service;
