//! `/v1/transfers`

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use uuid::Uuid;

use super::access::{Authorised, Whose};
use super::input::{Body, IdempotencyKey, Nothing, Query, Read};
use super::openapi::Changed;
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created_in, done, polled};
use crate::domain::external_id;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::ids::{MemberId, TransferId};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::transfer::{Reply, TransferReply, TransferRequest};
use crate::domain::record::transfer::TransferStatus;
use crate::domain::refusal::Refusal;
use crate::ledger::AnswerTransfer;
use crate::read::members;
use crate::read::transfers::{self, Direction, TransferDetails, Wanted};

/// Points to be given to another member, who is named by exactly one of `to_member_id` and `to_external_id`.
#[derive(utoipa::ToSchema)]
#[schema(as = TransferRequest)]
pub struct Offer {
    /// Who gives; left out with a member's token, which means its own member.
    #[schema(value_type = Option<String>, nullable = false)]
    from_member_id: Option<Whose>,
    /// Who receives, by the member's id.
    #[schema(nullable = false)]
    to_member_id: Option<MemberId>,
    /// Who receives, by the shop's id of the customer.
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    to_external_id: Option<String>,
    /// How many points.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64)]
    points: i64,
    /// A word to the receiver. Personal: it stands in no journal, is shown to the two members' own tokens alone, and goes
    /// when either of the two is erased.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    message: Option<String>,
    /// Do the points go at once, without an offer? Absent: false.
    #[schema(nullable = false)]
    direct: Option<bool>,
}

/// A page of transfers, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Transfers {
    /// The transfers.
    transfers: Vec<TransferDetails>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Give points to another member
///
/// As an offer, for which the points are set aside until it is answered, taken back or lapses; or at once, where the
/// programme allows it. Points keep their expiry.
#[utoipa::path(
    tag = "transfers",
    request_body(content = Offer, examples(
        ("by the member's id" = (value = json!({
            "from_member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
            "to_member_id": "01a20785-50b0-7002-8f17-20c4b96ad3e5", "points": 70, "message": "For your birthday",
        }))),
        ("by the shop's id of the customer" = (value = json!({
            "from_member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "to_external_id": "customer-4712", "points": 70,
        }))),
    )),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The points are offered, or given", body = TransferReply,
         headers(("Location" = String, description = "The address of the transfer"),
                 ("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 404, description = "`member_not_found`, `receiver_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_points`, `transfer_over_daily_limit`, `receiver_not_active`, \
         `member_suspended`, `member_closed`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `transfer_to_oneself`, `transfers_not_allowed`, \
         `direct_transfer_not_allowed`, `transfer_over_limit`, `points_over_limit`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 429, description = "`too_many_lookups`: see Limits", body = ProblemDocument,
         content_type = "application/problem+json",
         headers(("Retry-After" = String, description = "In how many seconds to try again"))),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/transfers")]
pub async fn post_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Offer>,
) -> Result<HttpResponse, Problem> {
    let (Body(offer), key) = (body, key.required()?);
    let Offer { from_member_id, to_member_id, to_external_id, points, message, direct } = offer;
    let from_member_id = caller.resolve(from_member_id, "from_member_id")?;
    if let (Some(member), Some(_)) = (caller.own(), &to_external_id) {
        service.limits.receiver_lookup(member)?;
    }
    let to_member_id = match to_external_id {
        Some(external_id) => service.reader.run(move |connection| members::id_of(connection, &external_id)).await?,
        None => to_member_id,
    };
    let to_member_id = to_member_id.ok_or_else(|| Problem::refused(&Refusal::ReceiverNotFound, false))?;
    let direct = direct.unwrap_or_default();
    let command = TransferRequest { from_member_id, to_member_id, points, message, direct };
    created_in("/v1/transfers", service.decide(&caller, key, command).await?)
}

/// List transfers
///
/// A member's, from the newest to the oldest; with a member's token, its own. An offer past its end is shown as lapsed.
#[utoipa::path(
    tag = "transfers",
    params(
        ("member" = Option<String>, Query, description = "Whose; with a member's token, its own member"),
        ("direction" = inline(Option<Direction>), Query, description = "On this side of the member; else both"),
        ("status" = inline(Option<TransferStatus>), Query, description = "Transfers in this state alone"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of transfers", body = Transfers,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/transfers")]
pub async fn get_transfers(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<TransfersQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(TransfersQuery { member, direction, status, page }) = query;
    let member = caller.resolve_parameter(member, "member")?;
    let (clock, wanted, viewer) = (service.reader.clock().clone(), page.wanted(), caller.own());
    let wanted = Wanted { direction, status, before: page.before, limit: wanted };
    let load = move |connection: &mut diesel::PgConnection| transfers::page(connection, member, viewer, &clock, wanted);
    let mut transfers = service.reader.run(load).await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut transfers, |details| details.transfer.id.uuid());
    let list = Transfers { transfers, next_cursor };
    polled(&request, &list, &list)
}

/// Get a transfer
///
/// Of either party. An offer past its end is shown as lapsed.
#[utoipa::path(
    tag = "transfers",
    params(("transfer_id" = String, Path, description = "The transfer's id")),
    responses(
        (status = 200, description = "The transfer", body = TransferDetails,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`transfer_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/transfers/{transfer_id}")]
pub async fn get_transfer(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    transfer_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let transfer = visible(&service, &caller, &transfer_id).await?;
    polled(&request, &transfer, &transfer)
}

/// Accept an offer
///
/// The receiver takes the points, which end when the giver's would have. For the receiver alone.
#[utoipa::path(
    tag = "transfers",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("transfer_id" = String, Path, description = "The transfer's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<TransferReply>,
        (status = 404, description = "`transfer_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`transfer_state_conflict`, `member_suspended`, `member_closed`, \
         `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`points_over_limit`, `validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/transfers/{transfer_id}/accept")]
pub async fn accept_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    transfer_id: web::Path<String>,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    answer(&service, &caller, key, &transfer_id, Reply::Accept).await
}

/// Decline an offer
///
/// The points go back to the giver. For the receiver alone.
#[utoipa::path(
    tag = "transfers",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("transfer_id" = String, Path, description = "The transfer's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<TransferReply>,
        (status = 404, description = "`transfer_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`transfer_state_conflict`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/transfers/{transfer_id}/decline")]
pub async fn decline_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    transfer_id: web::Path<String>,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    answer(&service, &caller, key, &transfer_id, Reply::Decline).await
}

/// Take an offer back
///
/// The points are the giver's again. For the giver alone.
#[utoipa::path(
    tag = "transfers",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("transfer_id" = String, Path, description = "The transfer's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<TransferReply>,
        (status = 404, description = "`transfer_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`transfer_state_conflict`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["transfers:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/transfers/{transfer_id}/cancel")]
pub async fn cancel_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    transfer_id: web::Path<String>,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    answer(&service, &caller, key, &transfer_id, Reply::Cancel).await
}

async fn answer(
    service: &Service,
    caller: &Authorised,
    key: IdempotencyKey,
    transfer_id: &str,
    reply: Reply,
) -> Result<HttpResponse, Problem> {
    let (key, id) = (key.required()?, transfer_id.parse().map_err(|_| not_found())?);
    done(service.decide(caller, key, AnswerTransfer(id, reply)).await?)
}

// The transfer, if the caller may know of it. What is no id is the id of no transfer.
async fn visible(service: &Service, caller: &Authorised, transfer_id: &str) -> Result<TransferDetails, Problem> {
    let id: TransferId = transfer_id.parse().map_err(|_| not_found())?;
    let (clock, viewer) = (service.reader.clock().clone(), caller.own());
    let found = service.reader.run(move |connection| transfers::by_id(connection, id, viewer, &clock)).await?;
    let party = |details: &TransferDetails| {
        let TransferDetails { transfer, .. } = details;
        caller.own().is_none_or(|own| own == transfer.from_member_id || own == transfer.to_member_id)
    };
    found.filter(party).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::refused(&Refusal::TransferNotFound, false)
}

impl Read for Offer {
    fn read(offer: &mut Fields<'_>) -> Option<Self> {
        let from_member_id = offer.optional("from_member_id", fields::parsed);
        let mut named = 0;
        let to_member_id = offer.optional("to_member_id", |id| {
            named += 1;
            fields::parsed(id)
        });
        let to_external_id = offer.optional("to_external_id", |id| {
            named += 1;
            external_id::read(id)
        });
        let points = offer.required("points", fields::integer(1..=MAX_POINTS));
        let message = offer.optional("message", fields::string(1..=200));
        let direct = offer.optional("direct", fields::boolean);
        if named != 1 {
            let message = "must stand alone or give way to to_external_id: exactly one of them names the receiver";
            offer.fault("to_member_id", Wrong::new("contradiction", message));
        }
        Some(Self { from_member_id, to_member_id, to_external_id, points: points?, message, direct })
    }
}

/// The parameters of a page of transfers.
pub struct TransfersQuery {
    member: Option<Whose>,
    direction: Option<Direction>,
    status: Option<TransferStatus>,
    page: Page<Uuid>,
}

impl Read for TransfersQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let member = query.optional("member", fields::parsed);
        let direction = query.optional("direction", fields::one_of(&Direction::ALL));
        let status = query.optional("status", fields::one_of(&TransferStatus::ALL));
        Some(Self { member, direction, status, page: Page::read(query)? })
    }
}
