//! Parameters of an address.

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr};

use super::{Shape, forms};

/// A parameter of a query.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Must it be there?
    pub required: bool,
    /// What it means.
    pub about: &'static str,
    /// What it looks like.
    pub shape: Shape,
}

impl Parameter {
    /// A parameter that must be there.
    pub const fn required(name: &'static str, about: &'static str, shape: Shape) -> Self {
        Self { name, required: true, about, shape }
    }

    /// A parameter that may be left out.
    pub const fn optional(name: &'static str, about: &'static str, shape: Shape) -> Self {
        Self { name, required: false, about, shape }
    }
}

/// What parameters look like that are no types of their own.
impl Shape {
    /// An instant, RFC 3339 with an offset.
    pub const INSTANT: Shape = Shape::of(|| {
        text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).pattern(Some(forms::TIME)).into()
    });

    /// A UUID.
    pub const UUID: Shape = Shape::of(|| text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).into());

    /// A member's id, or `me`.
    pub const MEMBER_OR_ME: Shape = Shape::of(|| text().pattern(Some(forms::ID_OR_ME)).into());

    /// The shop's id of an order.
    pub const SHOP_ID: Shape = Shape::of(|| visible(64));

    /// An idempotency key.
    pub const IDEMPOTENCY_KEY: Shape = Shape::of(|| visible(255));

    /// Where a page begins.
    pub const CURSOR: Shape =
        Shape::of(|| text().min_length(Some(1)).max_length(Some(200)).pattern(Some(forms::CURSOR)).into());

    /// Yes or no.
    pub const YES_OR_NO: Shape = Shape::of(|| ObjectBuilder::new().schema_type(Type::Boolean).into());

    /// An integer from `LEAST` to `MOST`.
    pub const fn integer<const LEAST: i64, const MOST: i64>() -> Shape {
        Shape::of(|| {
            let integer = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(LEAST)).maximum(Some(MOST));
            integer.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))).into()
        })
    }

    /// A text of 1 to `MOST` characters, none of them a control character.
    pub const fn text_of<const MOST: usize>() -> Shape {
        Shape::of(|| text().min_length(Some(1)).max_length(Some(MOST)).pattern(Some(forms::TEXT)).into())
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn visible(most: usize) -> RefOr<Schema> {
    text().min_length(Some(1)).max_length(Some(most)).pattern(Some(forms::VISIBLE)).into()
}
