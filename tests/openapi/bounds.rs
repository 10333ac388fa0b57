//! What a caller may send is bounded by its schema.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{document, operations, resolve};

/// What bounds a text.
const BOUNDS: [&str; 5] = ["maxLength", "pattern", "format", "enum", "const"];

// Adds the places of texts without a bound in a schema, and counts the texts that there are.
fn look(document: &Value, schema: &Value, at: &str, seen: &mut BTreeSet<String>, found: &mut (usize, Vec<String>)) {
    if let Some(name) = schema["$ref"].as_str() {
        if seen.insert(name.to_owned()) {
            let named =
                document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} leads nowhere"));
            look(document, named, at, seen, found);
        }
        return;
    }
    let is_text =
        schema["type"] == "string" || schema["type"].as_array().is_some_and(|types| types.contains(&"string".into()));
    if is_text {
        found.0 += 1;
        if BOUNDS.iter().all(|bound| schema.get(bound).is_none()) {
            found.1.push(at.to_owned());
        }
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.for_each(|(name, property)| look(document, property, &format!("{at}/{name}"), seen, found));
    for parts in ["oneOf", "anyOf", "allOf"] {
        let parts = schema[parts].as_array().into_iter().flatten();
        parts.for_each(|part| look(document, part, at, seen, found));
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            look(document, &schema[inner], &format!("{at}/{inner}"), seen, found);
        }
    }
}

#[test]
fn every_text_that_a_caller_may_send_has_a_bound() {
    let document = document();
    let (mut seen, mut found) = (BTreeSet::new(), (0, Vec::new()));
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(&document, parameter);
            let at = format!("{method} {path} {}", parameter["name"]);
            look(&document, &parameter["schema"], &at, &mut seen, &mut found);
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        look(&document, body, &format!("{method} {path}"), &mut seen, &mut found);
    }
    assert!(found.0 > 100, "{} texts were looked at", found.0);
    assert!(found.1.is_empty(), "without a bound: {:?}", found.1);
}
