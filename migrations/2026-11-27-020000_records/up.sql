-- What belongs to a member and has a life cycle of its own is a record: one table for all kinds (a projection). `state` is
-- the text that the last entry about it states; `about` is a receiver or a reward; `due_at` is when time alone ends it,
-- as long as that is to come; `counts` says whether it counts towards a limit on records like it.
CREATE TABLE record (
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    id uuid NOT NULL,
    member uuid NOT NULL,
    about uuid,
    journal smallint NOT NULL,
    counts boolean NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (journal, id)
);

INSERT INTO record (created_at, due_at, id, member, about, journal, counts, kind, status, state)
SELECT created_at, CASE WHEN status = 'held' THEN lapses_at END, id, member, reward, journal,
       reward IS NOT NULL AND status IN ('held', 'captured'), 'redemption', status, state
FROM redemption
UNION ALL
SELECT created_at, CASE WHEN status = 'offered' THEN lapses_at END, id, member, receiver, journal,
       status IN ('offered', 'accepted'), 'transfer', status, state
FROM transfer;

CREATE INDEX record_member_idx ON record (member, kind, id);
CREATE INDEX record_due_idx ON record (member, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX record_receiver_idx ON record (about, id) WHERE kind = 'transfer';
CREATE INDEX record_counts_about_idx ON record (member, about) WHERE counts;
CREATE INDEX record_counts_since_idx ON record (member, kind, created_at) WHERE counts;

DROP TABLE redemption, transfer;

GRANT SELECT, INSERT, UPDATE (due_at, counts, status, state) ON record TO accrue_service;
