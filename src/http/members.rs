//! `/v1/members`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use serde_json::json;

use super::answer::{created_in, done, json, polled, polled_as_of};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::problem::Problem;
use super::service::Service;
use crate::domain::external_id;
use crate::domain::fields::{self, Fields};
use crate::domain::movement::enrolment::{Enrolment, MemberReply, ProfileChange};
use crate::domain::refusal::RefusalCode::*;
use crate::ledger::{ChangeProfile, Enrol};
use crate::read::members;
use crate::read::wallet::WalletReply;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "enrol_member",
        verb: Verb::Post,
        path: "/v1/members",
        need: Need::Scope("members:write"),
        key: Key::Natural("the external id"),
        summary: "Enrol a customer",
        about: "\
            The `external_id` is the key: enrolling the same customer again in the same words gets the first answer \
            again.",
        takes: Some(Takes::body::<Enrolment, Enrolment>(&[(
            "Enrol a customer",
            || json!({ "external_id": "customer-4711", "birthday": "1990-02-28" }),
        )])),
        answer: Answer::created::<MemberReply>("The customer is a member", include_str!("examples/member.json"))
            .located("The member"),
        refusals: &[ExternalIdConflict, JoinedInFuture],
        handler: || web::to(enrol_member),
        ..Call::REST
    },
    Call {
        name: "find_member",
        verb: Verb::Get,
        path: "/v1/members",
        need: Need::Scope("members:read"),
        summary: "Find a member by the shop's id of the customer",
        query: ByExternalId::PARAMETERS,
        answer: Answer::ok::<MemberList>("The member, or an empty list", include_str!("examples/member_list.json")),
        handler: || web::to(find_member),
        ..Call::REST
    },
    Call {
        name: "get_member",
        verb: Verb::Get,
        path: "/v1/members/{id}",
        need: Need::ScopeOrMember("members:read"),
        summary: "Get a member",
        about: "`me` stands for the member of the token.",
        answer: Answer::ok::<MemberReply>("The member", include_str!("examples/member.json")).polled(),
        handler: || web::to(get_member),
        ..Call::REST
    },
    Call {
        name: "change_member",
        verb: Verb::Patch,
        path: "/v1/members/{id}",
        need: Need::Scope("members:write"),
        key: Key::Required,
        summary: "Change what is personal about a member",
        about: "What is left out stays as it is; a birthday of null is cleared; tags replace the old ones.",
        takes: Some(Takes::body::<ProfileChange, ProfileChange>(&[(
            "Change what is personal about a member",
            || json!({ "birthday": null, "tags": ["newsletter"] }),
        )])),
        answer: Answer::ok::<MemberReply>("As it now is", include_str!("examples/member.json")),
        refusals: &[MemberClosed],
        handler: || web::to(change_member),
        ..Call::REST
    },
    Call {
        name: "get_wallet",
        verb: Verb::Get,
        path: "/v1/members/{id}/wallet",
        need: Need::ScopeOrMember("members:read"),
        summary: "Get a member's wallet",
        about: "\
            Right at this instant: what is due by time counts although nothing may have written it down yet. `me` \
            stands for the member of the token.",
        answer: Answer::ok::<WalletReply>("The wallet", include_str!("examples/wallet.json")).polled(),
        handler: || web::to(get_wallet),
        ..Call::REST
    },
];

/// Members found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MemberList {
    /// At most one: external ids are unique.
    members: Vec<MemberReply>,
}

async fn enrol_member(
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

async fn find_member(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<ByExternalId>,
) -> Result<HttpResponse, Problem> {
    let Query(ByExternalId(external_id)) = query;
    let found = service.reader.run(move |view| members::by_external_id(view, &external_id)).await?;
    json(&MemberList { members: found.into_iter().collect() })
}

async fn get_member(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?;
    let member = service.reader.run(move |view| members::by_id(view, id)).await?;
    let member = member.ok_or_else(Problem::member_not_found)?;
    polled(&request, &member)
}

async fn change_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<ProfileChange>,
) -> Result<HttpResponse, Problem> {
    let (Body(change), id) = (body, caller.member()?);
    let answer = service.decide(&caller, key.required()?, ChangeProfile(id, change)).await?;
    done(answer)
}

async fn get_wallet(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?;
    let wallet = service.reader.wallet(id).await?;
    let wallet = wallet.ok_or_else(Problem::member_not_found)?;
    polled_as_of(&request, wallet.said(), wallet.as_of)
}

/// The parameter that finds a member.
pub struct ByExternalId(String);

impl ByExternalId {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] =
        &[&[Parameter::required("external_id", "The shop's id of the customer.", Shape::text_of::<128>())]];
}

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
