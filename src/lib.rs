//! Accrue: the membership, points and referral ledger that an online shop runs beside its checkout.
//!
//! Three clients call it. The **checkout service** posts orders and refunds, and takes points at payment; the **mobile
//! app** shows balances, tier and history, redeems, gives and donates;
//! **finance** audits the ledger and its export. Accrue is the book of record for points: what it has acknowledged is on
//! disk, once, for good, and anyone can check that nobody changed it.
//!
//! # How an order becomes points
//!
//! ```text
//! HTTP handler ─ validated Command ─▶ Ledger::submit ─▶ bounded queue of the member's journal ─▶ its lane
//!   (http)                                                                    a thread, one connection (ledger)
//!                                                            takes the first, then whatever else is queued, ≤ 256
//!    BEGIN                                                                      ledger::transaction
//!    1 lock    the journal's head, FOR UPDATE; the clock is read behind it      ledger::head
//!    2 find    what these commands name by its id; lock what heads it asks for  load
//!    3 load    their members, set-based; nothing that none needs                load
//!    4 decide  pure: settle, decide → entries, or a typed refusal               ledger::command → domain
//!    5 write   one statement for all that an award writes; others before it     ledger::write
//!    COMMIT ─▶ answer everyone who waits
//! ```
//!
//! A *journal* is a gapless, hash-chained, append-only sequence of *entries*. There are a few of them, as many as cores
//! at the first migration; a member belongs to one for good, and the member's id carries its number
//! ([`domain::ids::MemberId`]), so that no query is needed to find the lane. Journal 0 holds what belongs to no member.
//! An entry has *postings*: each takes points from one account to another, and so balances by its form. The first stands
//! in the entry's row, further ones in `further_posting`; the view `posting` has them all.
//!
//! A lane is the only writer of its journal in this process, and the head's row lock makes it the only one among all
//! processes. Two things reach beyond one journal. A command over two members in two journals (a transfer) locks both
//! heads, the lower number first, and goes through the account `transit` in each; where it shows late that a lower one is
//! needed, the transaction is begun anew with both. A *counter* (a reward's stock) belongs to no
//! member: its row is the second and last class of locks, taken behind the heads in the order of ids, by batches that
//! touch it. Nothing else needs a lock of its own. While a batch commits, the next one gathers in the queue: the
//! batch is as large as the load asks for. A busy lane gives those it has just answered half a millisecond to ask again,
//! and lets commands over two journals gather, while orders that have nothing to do with them pass; with few callers nobody
//! waits.
//!
//! Wallets and tiers, which apps ask for most, are read in the same way: while some are read, those that are asked for
//! gather, and the next read is of them all ([`read::wallet`], [`read::standing`]). It begins after the last of them was
//! asked for, so that whoever has heard of a command sees what it did. A reader remembers what it has read, as lanes do: a
//! read begins with the heads and with whom the entries since are about, and only they, and those who are not remembered, are
//! read anew. For whom something is due, the member is settled in memory, by itself. Other reads are a query each, on a
//! connection of a pool.
//!
//! # A movement of points
//!
//! Each is a [`ledger::Command`], a pure decision in [`domain`], and entries; none writes a table itself.
//!
//! | movement | decided in | entries |
//! |---|---|---|
//! | earn | [`domain::movement::order`] | `points.earned`, `order.recorded` |
//! | reverse (a refund) | [`domain::movement::refund`], [`domain::movement::reversal`] | `order.refunded`, `redemption.returned` |
//! | hold, capture, void, return | [`domain::movement::redemption`] | `redemption.*` |
//! | donate | [`domain::movement::donation`] | `points.donated` |
//! | transfer | [`domain::movement::transfer`] | `transfer.*` |
//! | adjust | [`domain::movement::adjustment`] | `points.adjusted` |
//! | forfeit (a member leaves) | [`domain::movement::membership`] | `member.closed` |
//! | activate, expire, lapse | [`domain::decide`] | `points.activated`, `points.expired`, `*.lapsed` |
//!
//! A member's tier moves no points: `tier.*`, see below.
//!
//! An entry states in its payload what it changes besides points, whole, as it is afterwards ([`domain::member::fact`]):
//! the record, the refund. Only what becomes of a refund's claim follows from the postings: what leaves `held` for
//! `issuance` pays it, and what leaves it otherwise may let it go. [`domain::member::Member::apply`] takes postings, lots
//! and fact up, in memory, in the posting path and in replay alike; what is written is the difference.
//!
//! A *record* ([`domain::record`]) belongs to a member and has a life cycle of its own: a redemption, a transfer. All are
//! kept in one table and go one way; what tells them apart stands in the file of each. *Accumulators*
//! ([`domain::member::Lifetime`]) are sums that stand with the wallet; *counters* ([`domain::record::counter`]) belong to
//! no member, and records take of them.
//!
//! A *quote* ([`domain::movement::quote`]) is no movement: what would come of an order is decided by the same function as
//! the order, on a copy of the member that [`read::quotes`] loads and that is dropped. No lane hears of it, and of a visitor,
//! who is no member, nothing is read at all.
//!
//! # Tiers
//!
//! A programme may have *levels* ([`domain::program::tiers`]), which members reach by what they spend, or how often they
//! order, in a period. What an order counts is what was paid in money, less refunds, when it occurred. The order that reaches
//! a level raises its member in the same transaction (`tier.upgraded`); a tier is kept until its term and grace end, and then
//! decided anew by settling, at that instant (`tier.renewed`, `tier.downgraded`). A rolling period ends with that instant: the
//! order that began a term of twelve months is a year old by then, and keeps the tier for no other term.
//!
//! Between two decisions by time a tier is a function of the orders and refunds that had occurred, not of the order in which
//! they arrived ([`domain::tier`]). What arrives when a term's end has acted counts in the sums of its period from then on,
//! and changes nothing of what was decided. So a history is imported in the order in which it occurred.
//!
//! An award looks at no other order: the sums of the period stand with the wallet. In a period with fixed ends they are
//! right by themselves. Those of a rolling one are an upper bound, and the member's orders are read where it reaches a level,
//! as they are for a first order, one that arrives late, a refund to a member who has risen, and a term that ends. An entry
//! about a tier states it whole, as one about a record does.
//!
//! An operator may give a tier until a time (`tier.assigned`): it is the least that the member has until then, and what follows
//! from the orders goes on beneath it. The code of the tier that a member has stands with the wallet, so that a wallet is one
//! row, and how many members of a journal have a tier is counted where it changes.
//!
//! A version of the programme that has other tiers takes hold of a member with its next order, with a refund that changes its
//! tier, when an operator gives it one, when a term or what an operator gave ends, or when its turn comes: a job looks at all
//! members anew ([`jobs::review_once`]), a few in each transaction, with how far it is written in the same one. It takes hold
//! at that instant; with an order, when that occurred, but not before the version itself came into force. A turn that changes
//! nothing leaves the member where it was. Nobody loses a tier by the version before the term ends, and from then on a refund
//! of an earlier order takes none; a level that it has no more becomes the next lower one, and a grace that it has no more ends
//! as it takes hold. Of whoever never had a tier all orders are looked at. In a programme that has no tiers any more each ends
//! with its term, and what operators gave with its time. Suspended members keep their tiers, and terms go on; who has left has
//! none.
//!
//! # What something new costs
//!
//! Take a stamp card as an example: a member has one, an order stamps it, a full one is traded for points, and an old one
//! ends. Each part of it touches these files, its tests aside:
//!
//! | new | files |
//! |---|---|
//! | a refusal, `stamp_card_full` | its row in [`domain::refusal`] (code, facts, status, title, sentence); where it is decided; the `refusals` of each call that answers it |
//! | a record, the card | `domain/record/stamp_card.rs` implements [`domain::record::Recorded`]; a line in the list of [`domain::record`]; its id's type in [`domain::ids`]; a place in [`domain::record::due`], since time ends it |
//! | a movement, the trade | `domain/movement/stamp_card.rs`; its kinds of entries in [`domain::journal::entry::Kind`] |
//! | its command | `ledger/command/stamp_card.rs` implements [`ledger::Asked`], from the operation's name to the decision; a line in the list of [`ledger::Command`] |
//! | a section of the programme | `domain/program/stamps.rs`, and a field of the document and of the programme in [`domain::program`] |
//! | a sum in the wallet, stamps so far | a field of [`domain::member::Lifetime`] and what adds to it; a column in a migration, in [`load`] and in `ledger/write/members.rs` |
//! | an endpoint, `POST /v1/stamp-cards/{stamp_card_id}/trade` | its row in `CALLS` and its handler in `http/stamp_cards.rs`, an example in `http/examples/`; of a new resource also the lists in `http/mod.rs` and `http/table.rs`, and what its id in an address means in `http/document/operation.rs` |
//! | a list of cards | its query in `read/stamp_cards.rs`, and an endpoint |
//!
//! Loading, writing, replay, verification, erasure, settling, idempotency, access and the document need no line more.
//! The card, its movement, its command and its endpoints are sixteen files of `src`: five of their own, and a line or a few
//! in eleven lists. A transfer was in thirty-four before there were records.
//!
//! # What goes wrong, and what happens then
//!
//! * A refusal is decided in memory and never reaches SQL. Under an idempotency key it is remembered, unless the command
//!   has a natural key and the refusal can heal.
//! * A unique index that another journal has filled: the keys are looked up everywhere, and the batch decided again.
//! * The database finds fault with the data, or a decision panics: the batch is decided in halves, so that one
//!   command cannot fail its neighbours.
//! * The connection is lost, even at COMMIT: the same batch is tried again on a new one. The head's lock waits for the
//!   lost backend, and then each command's key shows whether it took effect. If that cannot be found out, the caller is
//!   told `outcome_unknown`, and sending the same request again finds out.
//! * A peer says no more, or reads no more: its connection ends. Where many do, the longest wait ends first, so that
//!   others are answered all the same.
//! * A timeout, or a database that stays away: 503, nothing done. A full queue: 503, at once.
//! * The connection is lost by a statement that many wallets wait for: it is run once more, on a new one.
//! * A journal whose last entry lies more than a minute ahead of the clock, because that jumped or someone changed it: 503,
//!   nothing done, and the service is not ready. Reads show the present, by the clock ([`postgres::clock::Clock::present`]).
//! * A standby that is behind ([`ledger::Ledger::open_to_read`]): reads show what it has, and say by how many seconds
//!   it is behind ([`read::Lag`]). What would write is refused: 503, nothing done.
//! * An identity provider that is away, also at start: the service is not ready, tokens that its keys might verify get 503,
//!   and it is asked again. What other keys verify passes.
//! * A lane's thread panics: it begins anew. Whoever waits for what it had taken is told `outcome_unknown`; what is
//!   still queued is served. Until it has committed again the service says that it is not ready, as it does when a batch
//!   was given up, or has taken ten seconds without a commit.
//! * Standard error takes no log lines, because its reader stalls or has gone or a disk is full: nobody waits for it.
//!   The lines are lost, counted, and spoken of once it takes some again ([`process::log`]).
//!
//! # Modules
//!
//! Dependencies point one way; a test holds it.
//!
//! ```text
//! cli ─▶ http, jobs ─▶ ledger, read ─▶ load ─▶ postgres ─▶ domain
//!  └───────────┴────────────┴───────────┴─────────┴─────▶ process
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | the rules, pure: no database, no network, no clock |
//! | [`postgres`] | a private cluster, connections, migrations, the clock, what errors mean |
//! | [`load`] | the state that a decision needs, for those who keep it and those who show it |
//! | [`ledger`] | the only writer: a test holds that no statement elsewhere writes, and readers' connections are read-only |
//! | [`read`] | queries for answers, the export, verification; on read-only connections |
//! | [`http`] | the API: a table of calls, a file per resource |
//! | [`jobs`] | the sweeper, which writes down what fell due |
//! | [`process`] | the log that holds nobody up, threads that begin anew |
//! | [`cli`] | the commands |
//!
//! # Invariants
//!
//! Numbered, so that comments and tests can cite them.
//!
//! 1. **Nothing changes once written.** `entry` and `further_posting` take INSERT only: triggers refuse everything else, the
//!    service's role lacks the privileges, and [`ledger::Ledger::open`] refuses a role that has them or could get them, and
//!    triggers that do not all fire ([`postgres::guard`]).
//! 2. **Every posting balances** by construction; all accounts of a journal sum to zero.
//! 3. **Projections are derivable.** Members, wallets, lots, claims, orders, records, donations, counters and totals can be
//!    rebuilt from the journals, and each journal alone rebuilds its members; the posting path and replay come
//!    through the same [`domain::member::Member::apply`]. Personal data is not a projection.
//! 4. **One request, one effect.** A key belongs to its caller and operation. Same key and content: the first status and
//!    body again. Same key, other content: refused. Keys are kept for good, in the transaction of their effect. Natural
//!    keys (an order's id, a refund's, a customer's) are taken by success alone, and beside one a refusal that can heal
//!    ([`domain::refusal::Refusal::can_heal`]) takes no key at all: the same request is decided anew.
//! 5. **A 2xx means committed**, with `synchronous_commit` on.
//! 6. **No overspend**: no part of a wallet falls below zero. Only a refund may leave debt, where the programme's policy
//!    says so; debt is repaid whenever points become active, so that with a debt nothing is ever active. A claim is no
//!    debt: it is never more than what is held.
//! 7. **Numbers have no gaps** in a journal, `recorded_at` never runs backwards in it, and
//!    `hash = SHA-256(hash before ‖ canonical bytes of the entry)`: see [`domain::journal::entry`].
//! 8. **No personal data in the hashed bytes.** What is personal stands in `member_profile`, what people wrote in `note`,
//!    what was bought in `orders` and `refund`, what was answered in `idempotency`; erasure empties them.
//! 9. **Jobs are never needed for correctness.** What time alone causes is written down by the next command
//!    ([`domain::decide::Working::settle`]) and shown by every read before that. The sweeper sends such a command, and
//!    does nothing else ([`jobs`]).
//!    One exception, on the safe side: stock that a lapsed hold reserves comes back when the lapse is written.
//! 10. **Same journal and same programme versions, same result.** Decisions take time, ids and rules as inputs.
//! 11. **Splitting changes nothing**: a refund in many parts, at one instant, ends in the same wallet, lots, debt and
//!     sums as one ([`domain::movement::refund`]). What had expired of the order's own points is not taken again; what could not be
//!     taken, the order's next refund asks for; what is held meanwhile is claimed and goes when it comes back
//!     ([`domain::movement::reversal`]).
//! 12. **Points keep their age.** Returned and transferred points keep their lot's end; held ones do not expire while
//!     they are held, and expire at once if they go back after it. Points that come back after a capture, or that a client
//!     gives back from a hold, when their lot has ended, get the programme's grace. What refunds claim of the others goes
//!     first. What has expired pays nothing, and of an order's own points it is not asked for.
//!
//! # The canonical entry, version 1
//!
//! RFC 8785 JSON with the keys `actor, command, effective_at, id, journal, kind, ledger, member, payload, postings
//! [{credit, debit, lot, points}], program_version, recorded_at, seq, v`. ASCII keys, UTC times with six digits and `Z`,
//! integers within ±(2⁵³ − 1), money as decimal strings. A line of the NDJSON export is the same object with `hash`. The
//! payload of every entry about a member carries `balance`, the wallet after it, in full the `lots` that it brings into
//! being, and what else it changes. `tests/data/verify_export.py` checks an export with nothing but Python.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// Tests that are shared with those outside name the crate as those do.
#[cfg(test)]
extern crate self as accrue;

pub mod cli;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod ledger;
pub mod load;
pub mod postgres;
pub mod process;
pub mod read;
