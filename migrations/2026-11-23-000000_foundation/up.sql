-- The ledger's tables. Every one that a lane writes has a primary key that begins with `journal`, and
-- every statement of a lane names its journal by equality, so that a journal can live on a shard unchanged.
--
-- There are no foreign keys between them: each would cost a check per row on the posting path, and the
-- module that writes these tables is the only one that can. `accrue verify` proves what keys would enforce.

-- The service's own role. Logins are made members of it; it cannot change or remove history.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'accrue_service') THEN
        CREATE ROLE accrue_service NOLOGIN;
    END IF;
END
$$;

-- What this database is. One row.
CREATE TABLE ledger (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT ledger_has_one_row CHECK (only_row),
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    -- How many days the demonstration's orders were moved forward; null where none were loaded.
    demo_shift_days integer,
    demo_loaded boolean NOT NULL DEFAULT false
);

-- The heads. `next_seq` is the number that the next entry gets; `head_hash` the hash of the last one.
CREATE TABLE journal (
    id smallint PRIMARY KEY CONSTRAINT journal_id_in_range CHECK (id BETWEEN 0 AND 4095),
    next_seq bigint NOT NULL DEFAULT 1 CONSTRAINT journal_next_seq_positive CHECK (next_seq > 0),
    head_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CONSTRAINT journal_head_hash_is_sha256 CHECK (length(head_hash) = 32),
    recorded_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Facts, append-only (invariant 1). `payload` is the text that was hashed.
CREATE TABLE entry (
    seq bigint NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    id uuid NOT NULL,
    member uuid,
    command uuid,
    program_version integer NOT NULL,
    journal smallint NOT NULL,
    v smallint NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    payload text NOT NULL,
    hash bytea NOT NULL CONSTRAINT entry_hash_is_sha256 CHECK (length(hash) = 32),
    PRIMARY KEY (journal, seq)
);
-- Indexes by member do not begin with the journal, which a member's id implies: a lookup by member then has one index
-- to go by, where one by journal and member could be answered by reading a whole journal, and would be as long as
-- the planner believes the journal to be short.
CREATE INDEX entry_member_idx ON entry (member, seq) WHERE member IS NOT NULL;

-- Lines of entries, append-only and balanced by their form (invariant 2).
CREATE TABLE posting (
    seq bigint NOT NULL,
    points bigint NOT NULL CONSTRAINT posting_points_positive CHECK (points > 0),
    lot uuid,
    journal smallint NOT NULL,
    n integer NOT NULL,
    debit text NOT NULL,
    credit text NOT NULL,
    PRIMARY KEY (journal, seq, n)
);

-- Members, without anything personal.
CREATE TABLE member (
    journal smallint NOT NULL,
    id uuid NOT NULL,
    status text NOT NULL CONSTRAINT member_status_known CHECK (status IN ('active')),
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (journal, id)
);

-- What is personal about a member: no projection, and nothing of it is ever in a journal (invariant 8).
-- `request_hash` and `response` answer an enrolment that is sent again.
CREATE TABLE member_profile (
    journal smallint NOT NULL,
    member uuid NOT NULL,
    external_id text NOT NULL,
    birthday date,
    tags text[] NOT NULL DEFAULT '{}',
    request_hash bytea NOT NULL,
    response text NOT NULL,
    PRIMARY KEY (journal, member),
    CONSTRAINT member_profile_external_id_key UNIQUE (external_id)
);

-- Balances (a projection). The checks are the backstop of invariant 6.
CREATE TABLE wallet (
    journal smallint NOT NULL,
    member uuid NOT NULL,
    active bigint NOT NULL DEFAULT 0,
    pending bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    debt bigint NOT NULL DEFAULT 0,
    next_due_at timestamptz,
    PRIMARY KEY (journal, member),
    CONSTRAINT wallet_not_negative CHECK (active >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0)
) WITH (fillfactor = 70);

-- Points earned together (a projection). A lot with nothing left in it stays, as the account of what became of it.
CREATE TABLE lot (
    journal smallint NOT NULL,
    id uuid NOT NULL,
    member uuid NOT NULL,
    earned bigint NOT NULL,
    pending bigint NOT NULL,
    active bigint NOT NULL,
    held bigint NOT NULL,
    active_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (journal, id),
    CONSTRAINT lot_not_negative CHECK (pending >= 0 AND active >= 0 AND held >= 0)
) WITH (fillfactor = 80);
CREATE INDEX lot_pending_idx ON lot (member, active_at) WHERE pending > 0;
CREATE INDEX lot_active_idx ON lot (member, expires_at) WHERE active > 0;

-- Orders as they were posted. Purchase details stay here and do not enter the journal.
-- `request_hash` and `response` answer an order that is sent again (invariant 4).
CREATE TABLE orders (
    seq bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    member uuid NOT NULL,
    journal smallint NOT NULL,
    order_id text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL CONSTRAINT orders_amount_not_negative CHECK (amount >= 0),
    discount numeric,
    channel text,
    items text,
    request_hash bytea NOT NULL,
    response text NOT NULL,
    PRIMARY KEY (journal, order_id),
    CONSTRAINT orders_order_id_key UNIQUE (order_id)
);

-- Keys of requests and what was answered. The keys are kept for good (invariant 4); answers about a member hold what is
-- personal, and are not part of the history that nothing may change.
CREATE TABLE idempotency (
    recorded_at timestamptz NOT NULL,
    journal smallint NOT NULL,
    refused boolean NOT NULL,
    caller text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (journal, caller, operation, key),
    CONSTRAINT idempotency_key_key UNIQUE (caller, operation, key)
);

-- The programme's versions (a projection of journal 0).
CREATE TABLE program_version (
    journal smallint NOT NULL,
    version integer NOT NULL CONSTRAINT program_version_positive CHECK (version > 0),
    effective_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (journal, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: history is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Correct mistakes with new entries.';
END
$$;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER program_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON program_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON __diesel_schema_migrations TO accrue_service;
GRANT SELECT ON ledger, journal, entry, posting, member, member_profile, wallet, lot, orders, idempotency,
    program_version TO accrue_service;
GRANT INSERT ON entry, posting, member, member_profile, wallet, lot, orders, idempotency, program_version
    TO accrue_service;
GRANT UPDATE (next_seq, head_hash, recorded_at) ON journal TO accrue_service;
GRANT UPDATE ON member_profile, wallet, lot TO accrue_service;
