//! The schema of problem documents. What they say besides comes from the declaration of the refusals.

use std::collections::BTreeMap;

use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema};

use super::super::code::Code;
use super::super::problem::ProblemDocument;
use crate::domain::refusal::{Refusal, RefusalCode};

/// Something that problems of a code say besides.
pub struct Fact {
    /// Its name.
    pub name: String,
    /// What it means.
    pub about: String,
    /// What it looks like.
    pub schema: Object,
}

/// What problems of this code say besides.
pub fn facts(code: Code) -> impl Iterator<Item = Fact> {
    let object = match code {
        Code::Refused(code) => refusal(code),
        Code::Http(_) => None,
    };
    let properties = object.into_iter().flat_map(|object| object.properties).filter(|(name, _)| name != "code");
    properties.filter_map(|(name, schema)| match schema {
        RefOr::T(Schema::Object(schema)) => {
            Some(Fact { name, about: schema.description.clone().unwrap_or_default(), schema })
        }
        _ => None,
    })
}

/// The schema of every problem: the parts that all have, and whatever any code says besides. A name has one type, so
/// that one class of a client reads them all.
pub fn schema() -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut problem)) = ProblemDocument::schema() else { return ProblemDocument::schema() };
    let mut said: BTreeMap<String, (Object, Vec<String>)> = BTreeMap::new();
    for code in Code::all() {
        for Fact { name, about, schema } in facts(code) {
            let (_, meanings) = said.entry(name).or_insert((schema, Vec::new()));
            meanings.push(format!("`{}`: {about}", code.name()));
        }
    }
    for (name, (mut schema, meanings)) in said {
        schema.description = Some(meanings.join(" "));
        problem.properties.insert(name, schema.into());
    }
    problem.into()
}

// The schema of a refusal, with its facts as properties.
fn refusal(code: RefusalCode) -> Option<Object> {
    let RefOr::T(Schema::OneOf(refusals)) = Refusal::schema() else { return None };
    let mut objects = refusals.items.into_iter().filter_map(|item| match item {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    });
    let is_of = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.enum_values.iter().flatten().any(|value| value == code.name()),
        _ => false,
    };
    objects.find(|object| object.properties.get("code").is_some_and(is_of))
}
