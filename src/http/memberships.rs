//! `/v1/members/{id}/suspend`, `/resume`, `/close`, `/erase`

use actix_web::{HttpResponse, web};

use serde_json::json;

use super::answer::done;
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Nothing};
use super::problem::Problem;
use super::service::Service;
use crate::domain::movement::enrolment::MemberReply;
use crate::domain::movement::membership::Change;
use crate::domain::refusal::RefusalCode::*;
use crate::ledger::ChangeMembership;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "suspend_member",
        verb: Verb::Post,
        path: "/v1/members/{id}/suspend",
        need: Need::Scope("members:manage"),
        key: Key::Required,
        summary: "Suspend a member",
        about: "\
            The member starts nothing new until it is resumed: no orders, redemptions, donations or transfers. \
            Captures, voids, refunds, returns and expiries go on. One that is suspended already stays as it is.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<MemberReply>("As it now is", include_str!("examples/member.json")),
        refusals: &[MemberClosed],
        handler: || web::to(suspend_member),
        ..Call::REST
    },
    Call {
        name: "resume_member",
        verb: Verb::Post,
        path: "/v1/members/{id}/resume",
        need: Need::Scope("members:manage"),
        key: Key::Required,
        summary: "Resume a suspended member",
        about: "The member takes part again. One that was not suspended stays as it is.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<MemberReply>("As it now is", include_str!("examples/member.json")),
        refusals: &[MemberClosed],
        handler: || web::to(resume_member),
        ..Call::REST
    },
    Call {
        name: "close_member",
        verb: Verb::Post,
        path: "/v1/members/{id}/close",
        need: Need::Scope("members:manage"),
        key: Key::Required,
        summary: "Close a membership",
        about: "\
            For good. What is active or pending is forfeit; what is held can still be captured, and is forfeit when \
            it comes back.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<MemberReply>("As it now is", include_str!("examples/member.json")),
        handler: || web::to(close_member),
        ..Call::REST
    },
    Call {
        name: "erase_member",
        verb: Verb::Post,
        path: "/v1/members/{id}/erase",
        need: Need::Scope("members:manage"),
        key: Key::Required,
        summary: "Erase what is personal about a member",
        about: "\
            For good; closes the membership first. The external id, the birthday, tags, messages, notes, what was \
            bought, and remembered answers that hold any of it are removed. The entries stay, which hold nothing \
            personal. The same customer can be enrolled again, as another member.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<MemberReply>("As it now is", include_str!("examples/member.json")),
        handler: || web::to(erase_member),
        ..Call::REST
    },
];

async fn suspend_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Suspend).await
}

async fn resume_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Resume).await
}

async fn close_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Close).await
}

async fn erase_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Erase).await
}

async fn change(
    service: &Service,
    caller: &Authorised,
    key: IdempotencyKey,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let command = ChangeMembership(caller.member()?, change);
    done(service.decide(caller, key.required()?, command).await?)
}
