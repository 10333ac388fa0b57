//! A call as the document shows it.

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Required};

use super::super::access::MEMBER_SCOPE;
use super::super::call::{Call, Key, Need, Parameter, Shape, Takes};
use super::responses;

/// A call as the document shows it.
pub fn operation(call: &Call) -> Operation {
    let mut operation = OperationBuilder::new()
        .tag(call.tag())
        .summary(Some(call.summary))
        .description(Some(description(call)))
        .operation_id(Some(call.name))
        .request_body(call.takes.map(body))
        .responses(responses::responses(call));
    for place in call.places() {
        let (about, shape) = place_of(place);
        operation = operation.parameter(parameter(place, ParameterIn::Path, Required::True, about, shape));
    }
    for Parameter { name, required, about, shape } in call.parameters() {
        let required = if *required { Required::True } else { Required::False };
        operation = operation.parameter(parameter(name, ParameterIn::Query, required, about, *shape));
    }
    if call.answer.etag {
        let about = "The `ETag` of the last answer: 304 if nothing changed since";
        let shape = Shape::text_of::<1024>();
        operation = operation.parameter(parameter("If-None-Match", ParameterIn::Header, Required::False, about, shape));
    }
    let key = match call.key {
        Key::None => None,
        Key::Required => Some((Required::True, "A new random value; the same value when you retry.".to_owned())),
        Key::Natural(what) => Some((Required::False, format!("Optional: {what} is a key already."))),
    };
    if let Some((required, about)) = key {
        let shape = Shape::IDEMPOTENCY_KEY;
        operation = operation.parameter(parameter("Idempotency-Key", ParameterIn::Header, required, &about, shape));
    }
    // A scheme of type `http` has no scopes of its own in OpenAPI, so that they stand in the text, and here for programs.
    let scopes: Vec<&str> = scopes(call.need).collect();
    match scopes.is_empty() {
        true => operation.securities(Some([])).build(),
        false => operation
            .security(SecurityRequirement::new::<_, [String; 0], String>("bearer", []))
            .extensions(Some(ExtensionsBuilder::new().add("x-scopes", json!(scopes)).build()))
            .build(),
    }
}

fn scopes(need: Need) -> impl Iterator<Item = &'static str> {
    need.scope().into_iter().chain(need.open_to_members().then_some(MEMBER_SCOPE))
}

fn description(call: &Call) -> String {
    let need = match call.need {
        Need::Nothing => "Needs no token.".to_owned(),
        Need::Scope(scope) => format!("Needs a client's token with the scope `{scope}`."),
        Need::ScopeOrMember(scope) => {
            format!(
                "Needs a client's token with the scope `{scope}`, or that member's own with the scope `{MEMBER_SCOPE}`."
            )
        }
        Need::ScopeOrOwner(scope) => {
            format!("Needs a client's token with the scope `{scope}`, or a member's with the scope `{MEMBER_SCOPE}`.")
        }
    };
    [call.about, &need].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn body(takes: Takes) -> RequestBody {
    let mut content = ContentBuilder::new().schema(Some((takes.shape.schema)()));
    let shown = |value: Value| ExampleBuilder::new().value(Some(value)).build();
    content = content.examples_from_iter(takes.examples.iter().map(|(name, example)| (*name, shown(example()))));
    let required = if takes.may_be_left_out { Required::False } else { Required::True };
    let about = match takes.may_be_left_out {
        true => format!("May be left out. At most {} bytes.", takes.most_bytes),
        false => format!("At most {} bytes.", takes.most_bytes),
    };
    RequestBodyBuilder::new()
        .description(Some(about))
        .content("application/json", content.build())
        .required(Some(required))
        .build()
}

// What changes in an address has one meaning everywhere.
fn place_of(place: &str) -> (&'static str, Shape) {
    match place {
        "id" => ("The member's id; `me` is the member of a member's token.", Shape::MEMBER_OR_ME),
        "order_id" => ("The shop's id of the order.", Shape::SHOP_ID),
        "redemption_id" => ("The redemption's id.", Shape::UUID),
        "reward_id" => ("The reward's id.", Shape::UUID),
        "cause_id" => ("The cause's id.", Shape::UUID),
        "version" => ("The version's number.", Shape::integer::<1, 2_147_483_647>()),
        "transfer_id" => ("The transfer's id.", Shape::UUID),
        other => unreachable!("{other} stands in an address and is not described"),
    }
}

fn parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    about: &str,
    shape: Shape,
) -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(about))
        .schema(Some((shape.schema)()))
        .build()
}
