-- Members of four journals with a few years behind them, as the planner sees them: what matters is how many rows there are,
-- and how many of a journal, of a member, and of each kind.
INSERT INTO journal (id, recorded_at, created_at) SELECT n, 'epoch', 'epoch' FROM generate_series(0, 4) AS n;

CREATE TEMPORARY TABLE customer AS
SELECT n, n / 4 AS place, (1 + n % 4)::smallint AS journal, md5('member ' || n)::uuid AS member
FROM generate_series(0, 1999) AS n;

INSERT INTO member (journal, id, status, joined_at) SELECT journal, member, 'active', now() FROM customer;

INSERT INTO member_profile (journal, member, external_id, request_hash, response)
SELECT journal, member, 'customer ' || n, '', '' FROM customer;

INSERT INTO wallet (journal, member, active, pending, next_due_at)
SELECT journal, member, n % 100, n % 7, now() + n * interval '1 hour' FROM customer;

INSERT INTO entry (journal, seq, id, member, kind, payload, effective_at, recorded_at, program_version, v, actor, hash, points,
    lot, debit, credit)
SELECT journal, 1 + place * 8 + i, gen_random_uuid(), member, CASE i WHEN 0 THEN 'member.enrolled' ELSE 'points.earned' END,
    '{"lots": []}', now(), now(), 1, 1, 'client:checkout', decode(repeat('00', 32), 'hex'), 10,
    md5('lot ' || n || ' ' || i)::uuid, 'issuance', 'pending'
FROM customer, generate_series(0, 7) AS i;

INSERT INTO further_posting (journal, seq, n, points, lot, debit, credit)
SELECT journal, seq, 1, 10, lot, 'pending', 'active' FROM entry WHERE seq % 4 = 0;

INSERT INTO lot (journal, id, member, earned, pending, active, held, active_at, expires_at)
SELECT journal, md5('lot ' || n || ' ' || i)::uuid, member, 10, CASE i WHEN 7 THEN 10 ELSE 0 END,
    CASE WHEN i IN (5, 6) THEN 10 ELSE 0 END, 0, now() - i * interval '1 month', now() + i * interval '1 month'
FROM customer, generate_series(1, 7) AS i;

INSERT INTO orders (journal, seq, member, order_id, request_hash, claimed)
SELECT journal, 1 + place * 8 + i, member, 'order ' || n || ' ' || i, '', CASE WHEN n % 500 = 0 THEN 1 END
FROM customer, generate_series(1, 7) AS i;

INSERT INTO refund (journal, seq, member, order_id, refund_id, amount, request_hash, response)
SELECT journal, seq, member, order_id, 'refund', 1, '', '' FROM orders WHERE seq % 3 = 0;

INSERT INTO record (journal, id, member, about, created_at, due_at, counts, kind, status, state)
SELECT journal, gen_random_uuid(), member, md5(CASE WHEN i < 4 THEN 'reward ' || i ELSE 'member ' || (n + i) % 2000 END)::uuid,
    now(), CASE i WHEN 1 THEN now() END, i % 2 = 0, CASE WHEN i < 4 THEN 'redemption' ELSE 'transfer' END, 'captured', '{}'
FROM customer, generate_series(1, 6) AS i;

INSERT INTO donation (journal, seq, id, member, cause, points, donated_at)
SELECT journal, 1 + place * 8 + i, gen_random_uuid(), member, md5('cause ' || n % 100)::uuid, 1, now()
FROM customer, generate_series(1, 2) AS i;

INSERT INTO cause (journal, id, terms) SELECT 0, md5('cause ' || n)::uuid, '{}' FROM generate_series(0, 2999) AS n;

INSERT INTO cause_total (journal, cause, points, donations)
SELECT journal, md5('cause ' || n)::uuid, 1, 1 FROM generate_series(0, 2999) AS n, generate_series(1, 4) AS journal;

INSERT INTO tier_total (journal, tier, members) SELECT journal, 'tier ' || n, 1 FROM generate_series(0, 2999) AS n,
    generate_series(1, 4) AS journal;

INSERT INTO tier_review (journal, version, after, members, done)
SELECT journal, n, gen_random_uuid(), 1, true FROM generate_series(1, 3000) AS n, generate_series(1, 4) AS journal;

INSERT INTO reward (journal, id, terms) SELECT 0, md5('reward ' || n)::uuid, '{}' FROM generate_series(0, 2999) AS n;

INSERT INTO counter (journal, id) SELECT journal, id FROM reward;

INSERT INTO note (journal, about, member, other_member, body)
SELECT journal, gen_random_uuid(), member, CASE WHEN i = 1 THEN md5('member ' || (n + 1) % 2000)::uuid END, 'thank you'
FROM customer, generate_series(1, 2) AS i;

INSERT INTO idempotency (journal, caller, operation, key, recorded_at, refused, request_hash, outcome, member)
SELECT journal, 'client:checkout', 'redemption.open', n || ' ' || i, now(), false, '', '{}', CASE i WHEN 1 THEN member END
FROM customer, generate_series(1, 4) AS i;

INSERT INTO program_version (journal, version, effective_at, published_at, document)
SELECT 0, n, now(), now(), '{}' FROM generate_series(1, 3000) AS n;

DROP TABLE customer;
