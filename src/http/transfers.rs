//! `/v1/transfers`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use serde_json::json;

use super::answer::{created_in, done, polled};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::{Authorised, Whose};
use super::code::HttpCode;
use super::input::{Body, IdempotencyKey, Nothing, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::external_id;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::ids::{MemberId, TransferId};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::transfer::{Reply, TransferReply, TransferRequest};
use crate::domain::record::transfer::TransferStatus;
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::ledger::AnswerTransfer;
use crate::read::route;
use crate::read::transfers::{self, Direction, TransferDetails, Wanted};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "transfer_points",
        verb: Verb::Post,
        path: "/v1/transfers",
        need: Need::ScopeOrOwner("transfers:write"),
        key: Key::Required,
        summary: "Give points to another member",
        about: "\
            As an offer, for which the points are set aside until it is answered, taken back or lapses; or at once, \
            where the programme allows it. Points keep their expiry.",
        takes: Some(Takes::body::<Offer, Offer>(&[
            ("by the member's id", || {
                json!({
                    "from_member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                    "to_member_id": "01a20785-50b0-7002-8f17-20c4b96ad3e5", "points": 70, "message": "For your birthday",
                })
            }),
            ("by the shop's id of the customer", || {
                json!({
                    "from_member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "to_external_id": "customer-4712", "points": 70,
                })
            }),
        ])),
        answer: Answer::created::<TransferReply>(
            "The points are offered, or given",
            include_str!("examples/transfer_receipt.json"),
        )
        .located("The address of the transfer"),
        refusals: &[
            MemberNotFound,
            ReceiverNotFound,
            InsufficientPoints,
            TransferOverDailyLimit,
            ReceiverNotActive,
            MemberSuspended,
            MemberClosed,
            TransferToOneself,
            TransfersNotAllowed,
            DirectTransferNotAllowed,
            TransferOverLimit,
            PointsOverLimit,
        ],
        problems: &[HttpCode::TooManyLookups],
        handler: || web::to(transfer_points),
        ..Call::REST
    },
    Call {
        name: "list_transfers",
        verb: Verb::Get,
        path: "/v1/transfers",
        need: Need::ScopeOrOwner("transfers:read"),
        summary: "List transfers",
        about: "\
            A member's, from the newest to the oldest; with a member's token, its own. An offer past its end is \
            shown as lapsed.",
        query: TransfersQuery::PARAMETERS,
        answer: Answer::ok::<Transfers>("A page of transfers", include_str!("examples/transfer_list.json")).polled(),
        refusals: &[MemberNotFound],
        handler: || web::to(list_transfers),
        ..Call::REST
    },
    Call {
        name: "get_transfer",
        verb: Verb::Get,
        path: "/v1/transfers/{transfer_id}",
        need: Need::ScopeOrOwner("transfers:read"),
        summary: "Get a transfer",
        about: "Of either party. An offer past its end is shown as lapsed.",
        answer: Answer::ok::<TransferDetails>("The transfer", include_str!("examples/transfer.json")).polled(),
        refusals: &[TransferNotFound],
        handler: || web::to(get_transfer),
        ..Call::REST
    },
    Call {
        name: "accept_transfer",
        verb: Verb::Post,
        path: "/v1/transfers/{transfer_id}/accept",
        need: Need::ScopeOrOwner("transfers:write"),
        key: Key::Required,
        summary: "Accept an offer",
        about: "The receiver takes the points, which end when the giver's would have. For the receiver alone.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<TransferReply>("As it now is", include_str!("examples/transfer_receipt.json")),
        refusals: &[TransferNotFound, TransferStateConflict, MemberSuspended, MemberClosed, PointsOverLimit],
        handler: || web::to(accept_transfer),
        ..Call::REST
    },
    Call {
        name: "decline_transfer",
        verb: Verb::Post,
        path: "/v1/transfers/{transfer_id}/decline",
        need: Need::ScopeOrOwner("transfers:write"),
        key: Key::Required,
        summary: "Decline an offer",
        about: "The points go back to the giver. For the receiver alone.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<TransferReply>("As it now is", include_str!("examples/transfer_receipt.json")),
        refusals: &[TransferNotFound, TransferStateConflict],
        handler: || web::to(decline_transfer),
        ..Call::REST
    },
    Call {
        name: "cancel_transfer",
        verb: Verb::Post,
        path: "/v1/transfers/{transfer_id}/cancel",
        need: Need::ScopeOrOwner("transfers:write"),
        key: Key::Required,
        summary: "Take an offer back",
        about: "The points are the giver's again. For the giver alone.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<TransferReply>("As it now is", include_str!("examples/transfer_receipt.json")),
        refusals: &[TransferNotFound, TransferStateConflict],
        handler: || web::to(cancel_transfer),
        ..Call::REST
    },
];

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
#[schema(as = TransferList)]
pub struct Transfers {
    /// The transfers.
    transfers: Vec<TransferDetails>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn transfer_points(
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
        Some(external_id) => service.reader.route(move |primary| route::member(primary, &external_id)).await?,
        None => to_member_id,
    };
    let to_member_id = to_member_id.ok_or_else(|| Problem::refused(&Refusal::ReceiverNotFound, false))?;
    let direct = direct.unwrap_or_default();
    let command = TransferRequest { from_member_id, to_member_id, points, message, direct };
    created_in("/v1/transfers", service.decide(&caller, key, command).await?)
}

async fn list_transfers(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<TransfersQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(TransfersQuery { member, direction, status, page }) = query;
    let member = caller.resolve_parameter(member, "member")?;
    let (wanted, viewer) = (Wanted { direction, status, before: page.before, limit: page.wanted() }, caller.own());
    let found = service.reader.run(move |view| transfers::page(view, member, viewer, wanted)).await?;
    let mut transfers = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut transfers, |details| details.transfer.id.uuid());
    let list = Transfers { transfers, next_cursor };
    polled(&request, &list)
}

async fn get_transfer(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    transfer_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let transfer = visible(&service, &caller, &transfer_id).await?;
    polled(&request, &transfer)
}

async fn accept_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    transfer_id: web::Path<String>,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    answer(&service, &caller, key, &transfer_id, Reply::Accept).await
}

async fn decline_transfer(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    transfer_id: web::Path<String>,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    answer(&service, &caller, key, &transfer_id, Reply::Decline).await
}

async fn cancel_transfer(
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
    let viewer = caller.own();
    let found = service.reader.run(move |view| transfers::by_id(view, id, viewer)).await?;
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

impl TransfersQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[
        &[
            Parameter::optional("member", "Whose; with a member's token, its own member.", Shape::MEMBER_OR_ME),
            Parameter::optional("direction", "On this side of the member; else both.", Shape::named::<Direction>()),
            Parameter::optional("status", "Transfers in this state alone.", Shape::named::<TransferStatus>()),
        ],
        PAGE,
    ];
}

impl Read for TransfersQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let member = query.optional("member", fields::parsed);
        let direction = query.optional("direction", fields::one_of(&Direction::ALL));
        let status = query.optional("status", fields::one_of(&TransferStatus::ALL));
        Some(Self { member, direction, status, page: Page::read(query)? })
    }
}
