//! The schemas of bodies and answers. They come from the types; here they get what generated clients need and a type
//! cannot say.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOf, ArrayItems, Discriminator, Object, OneOf, Ref, Schema, SchemaType, Type,
};

use super::super::call::{Call, Shape};
use super::super::code::Code;
use super::super::problem::ProblemDocument;
use super::super::table;
use super::{forms, problem};

/// Schemas by their names.
pub type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Every schema that the document names.
pub fn schemas() -> Schemas {
    let problems = [Shape::named::<ProblemDocument>(), Shape::named::<Code>()];
    let mut schemas = named(table::calls().flat_map(shapes).chain(problems));
    schemas.insert("Problem".to_owned(), problem::schema());
    let whole = schemas.clone();
    schemas.values_mut().for_each(|schema| merge(schema, &whole));
    name_variants(&mut schemas);
    let taken = reached(&schemas, table::calls().filter_map(|call| call.takes.map(|takes| takes.shape)));
    let answered = reached(&schemas, table::calls().filter_map(|call| call.answer.shape));
    for (name, schema) in &mut schemas {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        if object.schema_type != SchemaType::new(Type::Object) {
            continue;
        }
        match taken.contains(name) {
            // The readers refuse what they do not know.
            true => object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false))),
            // What may be null is always there: what is left out otherwise is never null.
            false => require_nullable(object),
        }
    }
    let parameters = table::calls().flat_map(Call::parameters).map(|parameter| parameter.shape);
    let mut used = reached(&schemas, parameters);
    used.extend(taken.into_iter().chain(answered).chain(follow(&schemas, "Problem".to_owned())));
    schemas.retain(|name, _| used.contains(name));
    forms::add(&mut schemas);
    schemas
}

fn shapes(call: &Call) -> Vec<Shape> {
    let parameters = call.parameters().map(|parameter| parameter.shape);
    parameters.chain(call.takes.map(|takes| takes.shape)).chain(call.answer.shape).collect()
}

fn named(shapes: impl Iterator<Item = Shape>) -> Schemas {
    let mut named = Vec::new();
    shapes.for_each(|shape| (shape.names)(&mut named));
    named.into_iter().collect()
}

// Makes one object of an object and what is flattened into it: clients get one class, and it can be closed.
fn merge(schema: &mut RefOr<Schema>, schemas: &Schemas) {
    let RefOr::T(Schema::AllOf(AllOf { items, description, .. })) = schema else { return };
    let mut merged = Object::new();
    merged.description = description.take();
    for item in items {
        let mut item = match item {
            RefOr::Ref(part) => schemas.get(name_of(part)).cloned().unwrap_or_default(),
            RefOr::T(part) => part.clone().into(),
        };
        merge(&mut item, schemas);
        if let RefOr::T(Schema::Object(part)) = item {
            merged.properties.extend(part.properties);
            merged.required.extend(part.required);
        }
    }
    *schema = merged.into();
}

// Gives the objects of a union names of their own where a field tells them apart, such as `BaseStep` and `RoundingStep`
// for the steps of a calculation whose `rule` is `base` and `rounding`.
fn name_variants(schemas: &mut Schemas) {
    let mut variants = Schemas::new();
    for (union, schema) in schemas.iter_mut() {
        let RefOr::T(Schema::OneOf(OneOf { items, discriminator, .. })) = schema else { continue };
        let Some((field, _)) = items.first().and_then(tag) else { continue };
        let mut mapping = Vec::new();
        for item in items.iter_mut() {
            let Some((_, value)) = tag(item) else { continue };
            let name = format!("{}{union}", capitalised(&value));
            let reference = Ref::from_schema_name(&name);
            mapping.push((value, reference.ref_location.clone()));
            variants.insert(name, std::mem::replace(item, reference.into()));
        }
        *discriminator = Some(Discriminator::with_mapping(field, mapping));
    }
    schemas.extend(variants);
}

// The field of an object that has one value alone, and that value.
fn tag(schema: &RefOr<Schema>) -> Option<(String, String)> {
    let RefOr::T(Schema::Object(object)) = schema else { return None };
    object.properties.iter().find_map(|(name, property)| match property {
        RefOr::T(Schema::Object(Object { enum_values: Some(values), .. })) if values.len() == 1 => {
            Some((name.clone(), values[0].as_str()?.to_owned()))
        }
        _ => None,
    })
}

fn capitalised(word: &str) -> String {
    word.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

fn require_nullable(object: &mut Object) {
    for (name, property) in &object.properties {
        if may_be_null(property) && !object.required.contains(name) {
            object.required.push(name.clone());
        }
    }
}

fn may_be_null(schema: &RefOr<Schema>) -> bool {
    let null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => null(&array.schema_type),
        RefOr::T(Schema::OneOf(OneOf { items, .. })) => items.iter().any(may_be_null),
        _ => false,
    }
}

// The names of the schemas that these lead to.
fn reached(schemas: &Schemas, shapes: impl Iterator<Item = Shape>) -> BTreeSet<String> {
    let mut first = Vec::new();
    shapes.for_each(|shape| collect(&(shape.schema)(), &mut first));
    first.into_iter().flat_map(|name| follow(schemas, name)).collect()
}

/// The name of a schema, and those of all that it leads to.
pub fn follow(schemas: &Schemas, name: String) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![name]);
    while let Some(name) = left.pop() {
        if let Some(schema) = schemas.get(&name).filter(|_| !seen.contains(&name)) {
            collect(schema, &mut left);
        }
        seen.insert(name);
    }
    seen
}

// The names that a schema says itself.
fn collect(schema: &RefOr<Schema>, names: &mut Vec<String>) {
    match schema {
        RefOr::Ref(reference) => names.push(name_of(reference).to_owned()),
        RefOr::T(Schema::Object(object)) => object.properties.values().for_each(|property| collect(property, names)),
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &array.items {
                collect(items, names);
            }
        }
        RefOr::T(Schema::OneOf(one)) => one.items.iter().for_each(|item| collect(item, names)),
        RefOr::T(Schema::AllOf(all)) => all.items.iter().for_each(|item| collect(item, names)),
        RefOr::T(_) => {}
    }
}

fn name_of(reference: &Ref) -> &str {
    reference.ref_location.rsplit('/').next().unwrap_or_default()
}
