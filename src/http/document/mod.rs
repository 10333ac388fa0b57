//! The OpenAPI document, made from the table of calls.

mod forms;
mod guide;
mod operation;
mod problem;
mod program;
mod responses;
mod schemas;

use utoipa::openapi::info::{ContactBuilder, InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, OpenApiBuilder, Paths, ServerBuilder};

pub use self::program::program_schema;
use super::call::Verb;
use super::table;

/// The document.
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    for call in table::calls() {
        let method = match call.verb {
            Verb::Get => HttpMethod::Get,
            Verb::Patch => HttpMethod::Patch,
            Verb::Ask | Verb::Post => HttpMethod::Post,
        };
        let item = PathItem::new(method, operation::operation(call));
        match paths.paths.get_mut(call.path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.paths.insert(call.path.to_owned(), item);
            }
        }
    }
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Accrue")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(guide::guide()))
        .license(Some(license))
        .contact(Some(ContactBuilder::new().name(Some("Accrue")).build()))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token with the scope that the call names, or a member's token with the scope `me`."))
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::schemas())
        .responses_from_iter(responses::shared())
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build();
    let tags = guide::TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    let server = ServerBuilder::new().url("/").description(Some("The service that serves this document")).build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .paths(paths)
        .components(Some(components))
        .tags(Some(tags))
        .build()
}

/// The document as YAML, as it is committed and served.
pub fn document_yaml() -> String {
    document().to_yaml().expect("the document is made of constants and has a YAML form")
}
