//! `/v1/members`

use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};
use serde::Serialize;

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::openapi::Changed;
use super::problem::{Problem, ProblemDocument};
use super::{Service, created_in, json, polled};
use crate::domain::external_id;
use crate::domain::fields::{self, Fields};
use crate::domain::movement::enrolment::{Enrolment, MemberReply, ProfileChange};
use crate::ledger::{Answer, ChangeProfile, Enrol};
use crate::read::members::{self, WalletReply};

/// Members found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MemberList {
    /// At most one: external ids are unique.
    members: Vec<MemberReply>,
}

/// Enrol a customer
///
/// The `external_id` is the key: enrolling the same customer again in the same words gets the first answer again.
#[utoipa::path(
    tag = "members",
    request_body(content = Enrolment, example = json!({ "external_id": "customer-4711", "birthday": "1990-02-28" })),
    params(("Idempotency-Key" = Option<String>, Header, description = "Optional: the external id is a key already")),
    responses(
        (status = 201, description = "The customer is a member", body = MemberReply,
         headers(("Location" = String, description = "The member"),
                 ("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 409, description = "`external_id_conflict`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `joined_in_future`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:write"])),
)]
#[post("/v1/members")]
pub async fn post_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Enrolment>,
) -> Result<HttpResponse, Problem> {
    let Body(enrolment) = body;
    let id = service.ledger.new_member_id(&enrolment.external_id);
    let answer = service.decide(&caller, key.optional(), Enrol(id, enrolment)).await?;
    created_in("/v1/members", answer)
}

/// Find a member by the shop's id of the customer
#[utoipa::path(
    tag = "members",
    params(
        ("external_id" = String, Query, description = "The shop's id of the customer", min_length = 1, max_length = 128),
    ),
    responses(
        (status = 200, description = "The member, or an empty list", body = MemberList),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"])),
)]
#[get("/v1/members")]
pub async fn find_member(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<ByExternalId>,
) -> Result<HttpResponse, Problem> {
    let Query(ByExternalId(external_id)) = query;
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let found = service.reader.run(move |connection| match members::id_of(connection, &external_id)? {
        Some(id) => members::by_id(connection, id, (&clock, &programs)),
        None => Ok(None),
    });
    json(&MemberList { members: found.await?.into_iter().collect() })
}

/// Get a member
///
/// `me` stands for the member of the token.
#[utoipa::path(
    tag = "members",
    params(("id" = String, Path, description = "The member's id, or `me`")),
    responses(
        (status = 200, description = "The member", body = MemberReply,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/members/{id}")]
pub async fn get_member(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?;
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let member = service.reader.run(move |connection| members::by_id(connection, id, (&clock, &programs))).await?;
    let member = member.ok_or_else(Problem::member_not_found)?;
    polled(&request, &member, &member)
}

/// Change what is personal about a member
///
/// What is left out stays as it is; a birthday of null is cleared; tags replace the old ones.
#[utoipa::path(
    tag = "members",
    request_body(content = ProfileChange, example = json!({ "birthday": null, "tags": ["newsletter"] })),
    params(
        ("id" = String, Path, description = "The member's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<MemberReply>,
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`member_closed`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:write"])),
)]
#[patch("/v1/members/{id}")]
pub async fn patch_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<ProfileChange>,
) -> Result<HttpResponse, Problem> {
    let (Body(change), id) = (body, caller.member()?);
    let answer: Answer = service.decide(&caller, key.required()?, ChangeProfile(id, change)).await?;
    super::done(answer)
}

/// Get a member's wallet
///
/// Right at this instant: what is due by time counts although nothing may have written it down yet. `me` stands for
/// the member of the token.
#[utoipa::path(
    tag = "members",
    params(("id" = String, Path, description = "The member's id, or `me`")),
    responses(
        (status = 200, description = "The wallet", body = WalletReply,
         headers(("ETag" = String, description = "Of the balances; send it as `If-None-Match`"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/members/{id}/wallet")]
pub async fn get_wallet(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?;
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let wallet = service.reader.run(move |connection| members::wallet(connection, id, (&clock, &programs))).await?;
    let wallet = wallet.ok_or_else(Problem::member_not_found)?;
    polled(&request, &wallet.contents, &wallet)
}

/// The parameter that finds a member.
pub struct ByExternalId(String);

impl Read for ByExternalId {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        query.required("external_id", external_id::read).map(Self)
    }
}

impl Read for Enrolment {
    fn read(member: &mut Fields<'_>) -> Option<Self> {
        let external_id = member.required("external_id", external_id::read);
        let birthday = member.optional("birthday", fields::date);
        let joined_at = member.optional("joined_at", fields::timestamp);
        Some(Self { external_id: external_id?, birthday, joined_at })
    }
}

impl Read for ProfileChange {
    fn read(change: &mut Fields<'_>) -> Option<Self> {
        let birthday = change.nullable("birthday", fields::date);
        let tag = fields::word(1..=64, is_tag, "must be of a-z, 0-9, _, -, . and :");
        let mut tags = change.optional_list("tags", 0..=32, tag);
        if let Some(tags) = &mut tags {
            tags.sort_unstable();
            tags.dedup();
        }
        Some(Self { birthday, tags })
    }
}

fn is_tag(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ':')
}
