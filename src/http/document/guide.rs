//! What the document says before it lists the calls.

use super::super::code::Code;
use super::problem;

/// What calls belong to, in the order of the document.
pub const TAGS: [(&str, &str); 14] = [
    ("orders", "Orders become points. For the checkout."),
    ("quotes", "What would come of an order, without any effect. For the app and the checkout."),
    ("redemptions", "Points are spent, or held to be. For the checkout and the app."),
    ("rewards", "What points can be redeemed for. For the app and the operator."),
    ("adjustments", "Corrections of wallets. For the operator and finance."),
    ("tiers", "What members reach by what they spend, and what that brings. For the app."),
    ("members", "Members, wallets and statements. For the checkout and the app."),
    ("causes", "Causes that points are given to. For the operator and the app."),
    ("donations", "Points given to causes. For the app."),
    ("transfers", "Points given to other members. For the app."),
    ("program", "The rules, in immutable versions. For the operator."),
    ("ledger", "Journals, entries and the export. For finance."),
    ("sandbox", "The clock of a sandbox. A production ledger answers 404."),
    ("operations", "Liveness, readiness, metrics."),
];

/// The guide, with the table of codes at its end.
pub fn guide() -> String {
    let row = |code: Code| {
        let facts = problem::facts(code).map(|fact| format!("`{}`: {}", fact.name, fact.about));
        let facts = facts.collect::<Vec<_>>().join(" ");
        format!("| `{}` | {} | {} | {facts} |\n", code.name(), code.status(), code.title())
    };
    let rows: String = Code::all().into_iter().map(row).collect();
    format!("{GUIDE}\n| code | status | | says |\n|---|---|---|---|\n{rows}")
}

/// What the document says before it lists the calls. The table of codes follows it.
const GUIDE: &str = "\
Membership, points and referral ledger for online shops.

Points are integers; money is a decimal string with a currency; times are RFC 3339 in UTC.

## Keys and retries

A call that changes something needs an `Idempotency-Key` header, or has a key of its own (`order_id`, `refund_id`, \
`external_id`), beside which the header is optional. Only the clock of a sandbox has none. Take a new random value for \
a new request. After a timeout, a lost connection or a 503, `outcome_unknown` included, send the same body under the \
same key again: whatever was done the first time is not done twice.

What was answered before is answered again, with `Idempotency-Replayed: true`. So is a refusal by the rules under an \
`Idempotency-Key`, for good; when its reason is gone, ask under a new key. A key of the call's own is taken by success \
alone, and beside one a refusal that can heal (such as `member_not_found`, `member_suspended`, `occurred_in_future`) is \
not remembered at all: send the same order, refund or enrolment again. Another body under a used key is refused with \
409. Refusals of the form or of the token (400, 401, 403, 413, 415, `validation_failed`), 429 and 503 leave nothing \
behind.

## Pages

Lists go from the newest to the oldest. `limit` says how many items a page has; `next_cursor` is the `cursor` of the \
next page, to be sent with the same other parameters, and null on the last. What is inside a cursor may change.

## An order that points pay in part

1. `POST /v1/quotes` says how many points may pay the cart, and what it would earn. It changes nothing.
2. `POST /v1/redemptions` with `points`, `order_amount` and `hold` sets the points aside and says what they pay.
3. `POST /v1/orders` with `redemption_ids` captures them with the order; the rest of the amount earns. A cart that is \
   given up is voided, or its hold lapses. A cart that shrank is captured in part before, with the `order_id`.
4. `POST /v1/orders/{order_id}/refunds`, in as many parts as you like, reverses what the order earned and brings back \
   what paid it, both for the share refunded.

## Tokens

A client's token reaches what its scopes open. A member's token, with the scope `me` and the claim `member`, reads and \
spends for that member alone: it reads its profile, wallet, tier, entries, lots, redemptions, donations and transfers, \
and the rewards, causes and tiers; it asks for quotes, redeems, donates, gives and answers offers, and voids the holds that it \
made itself for no order. Whatever is another member's looks like what is not there.

## Standbys

A service may read a standby of the database and write nothing. It answers every call that reads, and quotes, and \
says in `Accrue-Replica-Lag` by how many seconds the standby was behind, a moment ago. Whatever would change something \
gets 503 `read_only`: send it to a service that writes.

## Limits

A member's token may make 600 calls in a minute, and name 10 receivers by `to_external_id` in an hour, since \
every answer to that tells whether there is such a customer. An address may send 60 tokens in a minute that were not \
issued for this service; a good token from the same address passes all the same. A service can be set otherwise. Beyond that the answer is 429, \
with `Retry-After` in seconds. Clients' tokens have no limit.

A body has at most 64 KiB, with items (orders, quotes, refunds) 1 MiB, a programme 256 KiB. Bodies are sent as they are: any `Content-Encoding` but `identity` is refused with 415. A request must arrive whole \
within 10 seconds; a connection that breaks these bounds, or does not read its answer, is closed.

Answers lie in no cache (`Cache-Control: no-store`). To poll, keep the last answer and its `ETag`, and send that as \
`If-None-Match`.

## Problems

Answers that are not a success are problem documents (RFC 9457) with one of these codes. Some say more, in fields of \
their own.
";
