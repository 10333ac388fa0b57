//! Names that people see, by the language that they are in.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::MAX_NAME;
use crate::domain::fields::{self, Fields};

/// The most languages of one name.
const MAX_LANGUAGES: usize = 50;

/// Reads the field `name`, an object with a text of 1 to [`MAX_NAME`] characters for each language tag.
pub fn read(fields: &mut Fields<'_>) -> Option<BTreeMap<String, String>> {
    fields.map("name", 1..=MAX_LANGUAGES, fields::language_tag, fields::string(1..=MAX_NAME))
}

/// What [`read`] reads, for the document of the API. The type alone does not say which names such an object has.
pub fn schema() -> Object {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let tag = text().max_length(Some(fields::MAX_LANGUAGE_TAG)).pattern(Some(fields::LANGUAGE_TAG));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What people call it, by language: a BCP 47 tag in its usual case, such as en or zh-CN."))
        .property_names(Some(tag))
        .additional_properties(Some(text().min_length(Some(1)).max_length(Some(MAX_NAME))))
        .min_properties(Some(1))
        .max_properties(Some(MAX_LANGUAGES))
        .build()
}
