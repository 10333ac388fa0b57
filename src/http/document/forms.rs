//! Which form the texts of bodies have: what the readers check, and the types do not say.

use std::collections::BTreeMap;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, Array, ArrayItems, KnownFormat, Object, Schema, SchemaFormat};

use super::super::call::forms;

/// Those of an order, posted or not.
const ORDER: &[(&str, &str)] = &[("amount", forms::MONEY), ("discount", forms::MONEY), ("currency", forms::CURRENCY)];

/// The pattern of each field of a schema, or of the schema itself where no field is named.
const FORMS: [(&str, &[(&str, &str)]); 29] = [
    ("MemberId", &[("", forms::ID)]),
    ("RedemptionId", &[("", forms::ID)]),
    ("TransferId", &[("", forms::ID)]),
    ("Quantity", &[("", forms::QUANTITY)]),
    ("OrderRequest", ORDER),
    ("QuoteRequest", ORDER),
    (
        "Item",
        &[("sku", forms::TEXT), ("category", forms::TEXT), ("unit_price", forms::UNIT_PRICE), ("amount", forms::MONEY)],
    ),
    ("RefundRequest", &[("amount", forms::MONEY)]),
    ("RefundItem", &[("sku", forms::TEXT)]),
    ("RedemptionRequest", &[("member_id", forms::ID_OR_ME), ("order_amount", forms::MONEY_ABOVE_ZERO)]),
    ("HoldRequest", &[("ttl", forms::SPAN)]),
    ("DonationRequest", &[("member_id", forms::ID_OR_ME)]),
    (
        "TransferRequest",
        &[("from_member_id", forms::ID_OR_ME), ("to_external_id", forms::TEXT), ("message", forms::TEXT)],
    ),
    ("AdjustmentRequest", &[("note", forms::TEXT)]),
    ("MemberRequest", &[("external_id", forms::TEXT)]),
    ("MemberPatch", &[("tags", forms::TAG)]),
    ("RewardRequest", &[("name", forms::TEXT), ("min_tier", forms::CODE)]),
    ("RewardPatch", &[("name", forms::TEXT), ("min_tier", forms::CODE)]),
    ("RewardLimit", &[("period", forms::LASTING_PERIOD)]),
    ("CauseRequest", &[("name", forms::TEXT)]),
    ("ClockMove", &[("advance", forms::PERIOD)]),
    (
        "EarningDocument",
        &[
            ("points_per_unit", forms::RATE),
            ("maximum_order_amount", forms::MONEY_ABOVE_ZERO),
            ("pending", forms::PERIOD),
            ("expiry", forms::PERIOD_OR_NEVER),
        ],
    ),
    (
        "RedemptionDocument",
        &[
            ("order_share", forms::SHARE),
            ("point_value", forms::POINT_VALUE),
            ("member_hold", forms::LASTING_PERIOD),
            ("return_grace", forms::LASTING_PERIOD),
        ],
    ),
    ("ProgramDocument", &[("name", forms::TEXT), ("time_zone", forms::ZONE)]),
    ("TransferDocument", &[("offer_ttl", forms::LASTING_PERIOD)]),
    ("TierDocument", &[("term", forms::TERM), ("grace", forms::LASTING_PERIOD)]),
    ("LevelDocument", &[("name", forms::TEXT), ("annual_spend", forms::MONEY_ABOVE_ZERO), ("factor", forms::FACTOR)]),
    ("Benefit", &[("name", forms::TEXT), ("value", forms::TEXT)]),
    ("TierAssignmentRequest", &[("tier", forms::CODE)]),
];

/// Gives every text its form.
pub fn add(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    schemas.values_mut().for_each(date);
    for name in ["OrderRequest", "QuoteRequest"] {
        if let Some(RefOr::T(Schema::Object(order))) = schemas.get_mut(name)
            && let Some(RefOr::T(Schema::Array(redemptions))) = order.properties.get_mut("redemption_ids")
        {
            redemptions.unique_items = true;
        }
    }
    for (name, fields) in FORMS {
        let schema = schemas.get_mut(name).unwrap_or_else(|| panic!("{name} is no schema"));
        for (field, pattern) in fields {
            match (field.is_empty(), &mut *schema) {
                (true, schema) => give(schema, pattern),
                (false, RefOr::T(Schema::Object(object))) => {
                    let property = object.properties.get_mut(*field);
                    give(property.unwrap_or_else(|| panic!("{name} has no {field}")), pattern);
                }
                (false, _) => panic!("{name} has no fields"),
            }
        }
    }
}

// A list gives the form to its items, and an object whose names are data to its values.
fn give(schema: &mut RefOr<Schema>, pattern: &str) {
    match schema {
        RefOr::T(Schema::Object(Object { additional_properties: Some(values), .. })) => match &mut **values {
            AdditionalProperties::RefOr(values) => give(values, pattern),
            AdditionalProperties::FreeForm(_) => panic!("a pattern is for texts"),
        },
        RefOr::T(Schema::Object(object)) => object.pattern = Some(pattern.to_owned()),
        RefOr::T(Schema::Array(Array { items: ArrayItems::RefOrSchema(items), .. })) => give(items, pattern),
        _ => panic!("a pattern is for texts"),
    }
}

// Days and instants have a form wherever they are.
fn date(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(Object { properties, format, pattern, .. })) = schema else { return };
    if let Some(SchemaFormat::KnownFormat(KnownFormat::DateTime | KnownFormat::Date)) = format {
        *pattern = Some(forms::TIME.to_owned());
    }
    properties.values_mut().for_each(date);
}
