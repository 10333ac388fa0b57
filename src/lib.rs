//! Accrue: the membership, points and referral ledger that an online shop runs beside its checkout.
//!
//! Three clients call it. The **checkout service** posts orders; the **mobile app** shows balances and history;
//! **finance** audits the ledger and its export. Accrue is the book of record for points: what it has acknowledged is on
//! disk, once, for good, and anyone can check that nobody changed it.
//!
//! # How an order becomes points
//!
//! ```text
//! HTTP handler ─ validated Command ─▶ Ledger::submit ─▶ bounded queue of the member's journal ─▶ its lane
//!   (http)                                                                    a thread, one connection (ledger)
//!                                                            takes the first, then whatever else is queued, ≤ 256
//!    BEGIN
//!    1 lock    the journal's head, FOR UPDATE; the clock is read behind it      ledger::load
//!    2 load    the wallets, orders, keys that these commands name, set-based    ledger::load
//!    3 decide  pure: settle, decide → entries, or a typed refusal               ledger::state → domain
//!    4 write   one statement per table, the head last                           ledger::write
//!    COMMIT ─▶ answer everyone who waits
//! ```
//!
//! A *journal* is a gapless, hash-chained, append-only sequence of *entries*. There are a few of them, as many as cores
//! at the first migration; a member belongs to one for good, and the member's id carries its number
//! ([`domain::ids::MemberId`]), so that no query is needed to find the lane. Journal 0 holds what belongs to no member.
//! An entry has *postings*: each takes points from one account to another, and so balances by its form.
//!
//! A lane is the only writer of its journal in this process, and the head's row lock makes it the only one among all
//! processes. Nothing below it needs a lock of its own. While a batch commits, the next one gathers in the queue: the
//! batch is as large as the load asks for. A busy lane gives those it has just answered half a millisecond to ask again;
//! with few callers nobody waits.
//!
//! # What goes wrong, and what happens then
//!
//! * A refusal is decided in memory and never reaches SQL. Under an idempotency key it is remembered.
//! * A unique index that another journal has filled: the keys are looked up everywhere, and the batch decided again.
//! * The database finds fault with the data, or a decision panics: the batch is decided in halves, so that one
//!   command cannot fail its neighbours.
//! * The connection is lost, even at COMMIT: the same batch is tried again on a new one. The head's lock waits for the
//!   lost backend, and then each command's key shows whether it took effect. If that cannot be found out, the caller is
//!   told `outcome_unknown`, and sending the same request again finds out.
//! * A timeout, or a database that stays away: 503, nothing done. A full queue: 503, at once.
//!
//! # Modules
//!
//! Dependencies point one way; a test holds it.
//!
//! ```text
//! cli ─▶ http, jobs ─▶ ledger, read ─▶ postgres ─▶ domain
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | the rules, pure: no database, no network, no clock |
//! | [`postgres`] | a private cluster, connections, migrations, the clock, what errors mean |
//! | [`ledger`] | the only writer; its schema is private to it |
//! | [`read`] | queries for answers, the export, verification; on read-only connections |
//! | [`http`] | the API: access, problems, a file per resource |
//! | [`jobs`] | the sweeper, which writes down what fell due |
//! | [`cli`] | the commands |
//!
//! # Invariants
//!
//! Numbered, so that comments and tests can cite them.
//!
//! 1. **Nothing changes once written.** `entry` and `posting` take INSERT only: triggers refuse everything else, the
//!    service's role lacks the privileges, and [`ledger::Ledger::open`] refuses a role that has them.
//! 2. **Every posting balances** by construction; all accounts of a journal sum to zero.
//! 3. **Projections are derivable.** Wallets and lots can be rebuilt from the journals; the posting path and replay
//!    come through the same [`domain::member::Member::apply`]. Personal data is not a projection.
//! 4. **One request, one effect.** A key belongs to its caller and operation. Same key and content: the first status and
//!    body again. Same key, other content: refused. Keys are kept for good, in the transaction of their effect. Natural
//!    keys (an order's id, a customer's) are taken by success alone.
//! 5. **A 2xx means committed**, with `synchronous_commit` on.
//! 6. **No overspend**: no part of a wallet falls below zero.
//! 7. **Numbers have no gaps** in a journal, `recorded_at` never runs backwards in it, and
//!    `hash = SHA-256(hash before ‖ canonical bytes of the entry)`: see [`domain::entry`].
//! 8. **No personal data in the hashed bytes.** What is personal stands in `member_profile`; what was bought, in
//!    `orders`.
//! 9. **Jobs are never needed for correctness.** What time alone causes is written down by the next command
//!    ([`domain::decide::Working::settle`]) and shown by every read before that. The sweeper sends such a command, and
//!    does nothing else ([`jobs`]).
//! 10. **Same journal and same programme versions, same result.** Decisions take time, ids and rules as inputs.
//!
//! # The canonical entry, version 1
//!
//! RFC 8785 JSON with the keys `actor, command, effective_at, id, journal, kind, ledger, member, payload, postings
//! [{credit, debit, lot, points}], program_version, recorded_at, seq, v`. ASCII keys, UTC times with six digits and `Z`,
//! integers within ±(2⁵³ − 1), money as decimal strings. A line of the NDJSON export is the same object with `hash`. The
//! payload of every entry about a member carries `balance`, the wallet after it, and in full the `lots` that it brings
//! into being. `tests/data/verify_export.py` checks an export with nothing but Python.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod cli;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod ledger;
pub mod postgres;
pub mod read;
