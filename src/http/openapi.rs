//! The OpenAPI document, made from the handlers.

use actix_web::App;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_actix_web::AppExt;

use super::problem::{PROBLEMS, ProblemDocument};
use super::server::{routes, sandbox_routes};

/// The document.
pub fn document() -> Document {
    App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(routes)
        .configure(sandbox_routes)
        .split_for_parts()
        .1
}

/// The document as YAML, as it is committed and served.
pub fn document_yaml() -> String {
    document().to_yaml().expect("the document is made at compile time and has a YAML form")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Accrue",
        description = "Membership, points and referral ledger for online shops.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "orders", description = "Orders become points. For the checkout."),
        (name = "redemptions", description = "Points are spent, or held to be. For the checkout and the app."),
        (name = "rewards", description = "What points can be redeemed for. For the app and the operator."),
        (name = "adjustments", description = "Corrections of wallets. For the operator."),
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
        let rows = PROBLEMS.iter().map(|(code, status, title)| format!("| `{code}` | {status} | {title} |\n"));
        let table: String = rows.collect();
        document.info.description = Some(format!(
            "Membership, points and referral ledger for online shops.\n\nPoints are integers; money is a decimal \
             string with a currency; times are RFC 3339 in UTC. Answers that are not a success are problem documents \
             (RFC 9457) with one of these codes:\n\n| code | status | |\n|---|---|---|\n{table}"
        ));
    }
}
