//! The schema of the programme document by itself, for editors and for whoever makes documents by program.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::schemas;
use crate::domain::program::ProgramDocument;

/// Where schemas stand in the API's document, and where they stand here.
const PLACES: (&str, &str) = ("#/components/schemas/", "#/$defs/");

/// The JSON Schema (2020-12) of a whole programme document: what the API's document says of it, in a document of its own.
pub fn program_schema() -> Value {
    let schemas = schemas::schemas();
    let names = schemas::follow(&schemas, ProgramDocument::name().into_owned());
    let definition = |name: String| {
        let mut schema = serde_json::to_value(schemas.get(&name)?).ok()?;
        stand_alone(&mut schema);
        Some((name, schema))
    };
    let definitions: Map<String, Value> = names.into_iter().filter_map(definition).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The programme document of an Accrue ledger",
        "$ref": format!("{}{}", PLACES.1, ProgramDocument::name()),
        "$defs": definitions,
    })
}

// Puts what only OpenAPI has into the words of JSON Schema, and leads references to where the schemas stand here.
fn stand_alone(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if let Some(Value::String(reference)) = keywords.get_mut("$ref") {
                *reference = reference.replace(PLACES.0, PLACES.1);
            }
            keywords.remove("discriminator");
            if let Some(example) = keywords.remove("example") {
                keywords.insert("examples".to_owned(), json!([example]));
            }
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    // What stands here are names of fields, whatever they are.
                    ("properties", Value::Object(fields)) => fields.values_mut().for_each(stand_alone),
                    ("examples" | "enum" | "const" | "default", _) => {}
                    (_, value) => stand_alone(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(stand_alone),
        _ => {}
    }
}
