//! The OpenAPI document, made from the handlers.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use actix_web::App;
use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, HeaderBuilder, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_actix_web::AppExt;

use super::input::{Nothing, Read};
use super::problem::{FACTS, PROBLEMS, ProblemDocument};
use super::redemptions::PartOfPoints;
use super::server::{routes, sandbox_routes};
use crate::domain::movement::redemption::CaptureRequest;

/// The document.
pub fn document() -> Document {
    let base = App::new().into_utoipa_app().openapi(Base::openapi());
    let mut document = base.configure(routes).configure(sandbox_routes).split_for_parts().1;
    let items = document.paths.paths.values_mut();
    for Operation { request_body, .. } in items.flat_map(|item| [&mut item.post, &mut item.patch]).flatten() {
        if let Some(RefOr::T(body)) = request_body.as_mut().filter(|body| may_be_left_out(body)) {
            body.required = Some(Required::False);
        }
    }
    document
}

/// The document as YAML, as it is committed and served.
pub fn document_yaml() -> String {
    document().to_yaml().expect("the document is made at compile time and has a YAML form")
}

/// The answers of every call under an `Idempotency-Key` that changes what is there: its success, which shows it as a
/// `T`, the missing key, and what any call may meet. Handlers add their own 404, 409 and 422.
pub struct Changed<T>(PhantomData<T>);

impl<T: ToSchema> IntoResponses for Changed<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let replayed = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("`true` if this was answered before"))
            .build();
        let shown = Content::new(Some(Ref::from_schema_name(T::name())));
        let done = ResponseBuilder::new().description("As it now is").header("Idempotency-Replayed", replayed);
        let problem = |description: &str| {
            let document = Content::new(Some(Ref::from_schema_name(ProblemDocument::name())));
            ResponseBuilder::new().description(description).content("application/problem+json", document)
        };
        let answers = [
            ("200", done.content("application/json", shown)),
            ("400", problem("`idempotency_key_required`")),
            ("default", problem("Another problem")),
        ];
        answers.into_iter().map(|(status, answer)| (status.to_owned(), answer.build().into())).collect()
    }
}

// The readers know which bodies may be left out. A test tries every call without one.
fn may_be_left_out(body: &RefOr<RequestBody>) -> bool {
    fn left_out<T: Read + ToSchema>() -> Option<String> {
        T::MAY_BE_LEFT_OUT.then(|| Ref::from_schema_name(T::name()).ref_location)
    }
    let bodies = [left_out::<Nothing>(), left_out::<PartOfPoints>(), left_out::<CaptureRequest>()];
    let RefOr::T(body) = body else { return false };
    let mut schemas = body.content.values().filter_map(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => Some(&schema.ref_location),
        _ => None,
    });
    schemas.any(|schema| bodies.iter().flatten().any(|body| body == schema))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Accrue",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "orders", description = "Orders become points. For the checkout."),
        (name = "redemptions", description = "Points are spent, or held to be. For the checkout and the app."),
        (name = "rewards", description = "What points can be redeemed for. For the app and the operator."),
        (name = "adjustments", description = "Corrections of wallets. For the operator and finance."),
        (name = "members", description = "Members, wallets and statements. For the checkout and the app."),
        (name = "causes", description = "Causes that points are given to. For the operator and the app."),
        (name = "donations", description = "Points given to causes. For the app."),
        (name = "transfers", description = "Points given to other members. For the app."),
        (name = "program", description = "The rules, in immutable versions. For the operator."),
        (name = "ledger", description = "Journals, entries and the export. For finance."),
        (name = "sandbox", description = "The clock of a sandbox. A production ledger answers 404."),
        (name = "operations", description = "Liveness, readiness, metrics."),
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Finish),
)]
struct Base;

struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token with the scope that the call names, or a member's token with the scope `me`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let rows = PROBLEMS.iter().map(|(code, status, title)| {
            let facts = FACTS.iter().filter(|fact| fact.0 == *code);
            let facts: Vec<String> = facts.map(|(_, name, meaning)| format!("`{name}`: {meaning}")).collect();
            format!("| `{code}` | {status} | {title} | {} |\n", facts.join("; "))
        });
        let table: String = rows.collect();
        document.info.description = Some(format!("{GUIDE}\n| code | status | | says |\n|---|---|---|---|\n{table}"));
    }
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

1. `POST /v1/redemptions` with `points`, `order_amount` and `hold` sets the points aside and says what they pay.
2. `POST /v1/orders` with `redemption_ids` captures them with the order; the rest of the amount earns. A cart that is \
   given up is voided, or its hold lapses. A cart that shrank is captured in part before, with the `order_id`.
3. `POST /v1/orders/{order_id}/refunds`, in as many parts as you like, reverses what the order earned and brings back \
   what paid it, both for the share refunded.

## Tokens

A client's token reaches what its scopes open. A member's token, with the scope `me` and the claim `member`, reads and \
spends for that member alone: it reads its profile, wallet, entries, lots, redemptions, donations and transfers, and \
the rewards and causes; it redeems, donates, gives and answers offers, and voids the holds that it made itself for no \
order. Whatever is another member's looks like what is not there.

## Limits

A member's token may make 600 calls in a minute, and name 10 receivers by `to_external_id` in an hour, since \
every answer to that tells whether there is such a customer. An address may send 60 tokens in a minute that were not \
issued for this service; a good token from the same address passes all the same. A service can be set otherwise. Beyond that the answer is 429, \
with `Retry-After` in seconds. Clients' tokens have no limit.

A body has at most 64 KiB, with items (orders, refunds) 1 MiB, a programme 256 KiB. Bodies are sent as they are: any `Content-Encoding` but `identity` is refused with 415. A request must arrive whole \
within 10 seconds; a connection that breaks these bounds, or does not read its answer, is closed.

Answers lie in no cache (`Cache-Control: no-store`). To poll, keep the last answer and its `ETag`, and send that as \
`If-None-Match`.

## Problems

Answers that are not a success are problem documents (RFC 9457) with one of these codes. Some say more, in fields of \
their own.
";
