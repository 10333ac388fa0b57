//! What a call takes and what it answers.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::super::input::Read;

/// A body as an example, with its name; made when it is asked for.
pub type Example = (&'static str, fn() -> Value);

/// What a value looks like.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Its schema, or the name of its schema.
    pub schema: fn() -> RefOr<Schema>,
    /// Adds the schemas that it names.
    pub names: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    /// A type with a schema, which the document has under its name.
    pub const fn named<T: ToSchema>() -> Self {
        fn names<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        }
        Self { schema: || Ref::from_schema_name(T::name()).into(), names: names::<T> }
    }

    /// A schema that has no name.
    pub const fn of(schema: fn() -> RefOr<Schema>) -> Self {
        Self { schema, names: |_| {} }
    }
}

/// The body of a request: JSON.
#[derive(Clone, Copy)]
pub struct Takes {
    /// What it looks like.
    pub shape: Shape,
    /// May it be left out whole?
    pub may_be_left_out: bool,
    /// How many bytes it may have.
    pub most_bytes: usize,
    /// Examples, at least one. They are taken as they stand, but for the ids in them.
    pub examples: &'static [Example],
}

impl Takes {
    /// A body that is read as an `R` and documented as a `T`: mostly the same type.
    pub const fn body<R: Read, T: ToSchema>(examples: &'static [Example]) -> Self {
        Self { shape: Shape::named::<T>(), may_be_left_out: R::MAY_BE_LEFT_OUT, most_bytes: R::MOST_BYTES, examples }
    }
}

/// The answer of a success.
#[derive(Clone, Copy)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What it is.
    pub about: &'static str,
    /// The media types in which it is given.
    pub media: &'static [&'static str],
    /// What it looks like, as far as a schema can say it.
    pub shape: Option<Shape>,
    /// An example as JSON text, where it is JSON.
    pub example: Option<&'static str>,
    /// Has it an `ETag`, so that it can be polled?
    pub etag: bool,
    /// What `Location` leads to, if it is there.
    pub location: Option<&'static str>,
    /// Another status under which the same body is given, and when.
    pub or_else: Option<(u16, &'static str)>,
}

impl Answer {
    /// 200 with a `T`.
    pub const fn ok<T: ToSchema>(about: &'static str, example: &'static str) -> Self {
        Self::json::<T>(200, about, example)
    }

    /// 201 with a `T`.
    pub const fn created<T: ToSchema>(about: &'static str, example: &'static str) -> Self {
        Self::json::<T>(201, about, example)
    }

    /// 200 with text, in any of these media types.
    pub const fn text(media: &'static [&'static str], about: &'static str) -> Self {
        let shape = Some(Shape::of(String::schema));
        Self { status: 200, about, media, shape, example: None, etag: false, location: None, or_else: None }
    }

    /// 200 with something that is neither JSON nor text.
    pub const fn other(media: &'static [&'static str], about: &'static str) -> Self {
        Self { shape: None, ..Self::text(media, about) }
    }

    /// The same, with an `ETag`; 304 when nothing changed.
    pub const fn polled(self) -> Self {
        Self { etag: true, ..self }
    }

    /// The same, with a `Location`.
    pub const fn located(self, what: &'static str) -> Self {
        Self { location: Some(what), ..self }
    }

    /// The same body under another status too.
    pub const fn or_else(self, status: u16, when: &'static str) -> Self {
        Self { or_else: Some((status, when)), ..self }
    }

    const fn json<T: ToSchema>(status: u16, about: &'static str, example: &'static str) -> Self {
        let (media, shape, example): (&[&str], _, _) =
            (&["application/json"], Some(Shape::named::<T>()), Some(example));
        Self { status, about, media, shape, example, etag: false, location: None, or_else: None }
    }
}
