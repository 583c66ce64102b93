//! The `OpenAPI` 3.1 document.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::openapi::schema::{ArrayBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, InfoBuilder, License, Object, OpenApi, Ref, RefOr,
    ResponseBuilder, Schema, SecurityRequirement, ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::problem::Problem;

/// The document of the routes, with what all of them share.
pub(super) fn complete(mut document: OpenApi, public_url: &str) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Nightbeat")
        .version("1")
        .description(Some(
            "Tells people when a backup or a scheduled job did not run. Durations are whole seconds, times \
             RFC 3339 in UTC. Lists answer `items` and `next_cursor`. Unknown fields are refused. `RateLimit` says how \
             many requests are left; beyond them the answer is 429.",
        ))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    let server = ServerBuilder::new().url(format!("{public_url}/api/v1"));
    document.servers = Some(vec![server.build()]);
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
    );
    components.add_security_scheme(
        "key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key"))),
    );
    let name = Problem::name().into_owned();
    components.schemas.insert(name, Problem::schema());
    refer_to_items(components);
    let none: [&str; 0] = [];
    document.security = Some(vec![
        SecurityRequirement::new("bearer", none),
        SecurityRequirement::new("key", none),
    ]);
    complete_responses(&mut document);
    document
}

/// The description of a list contains that of its items whole; a reference says the same.
fn refer_to_items(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        if let (Some(item), RefOr::T(Schema::Object(list))) = (name.strip_prefix("List_"), schema) {
            let items = ArrayBuilder::new().items(Ref::from_schema_name(item));
            list.properties
                .insert("items".to_owned(), items.build().into());
        }
    }
}

/// Every response has a description, and every operation may answer a problem; `docs/api.md` says which
/// status means what.
fn complete_responses(document: &mut OpenApi) {
    let problem = response("A problem (RFC 9457)").build();
    let retry_after = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::Integer)))
        .description(Some("After how many seconds to try again"));
    let too_many = response("Too many requests, or too much at once: try again later")
        .header("Retry-After", retry_after.build())
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            for (status, response) in responses.iter_mut() {
                if let RefOr::T(response) = response {
                    meaning(status).clone_into(&mut response.description);
                }
            }
            responses.insert("429".to_owned(), too_many.clone().into());
            responses.insert("default".to_owned(), problem.clone().into());
        }
    }
}

/// A response that tells a problem.
fn response(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name())));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content.build())
}

/// What a status of success means.
fn meaning(status: &str) -> &'static str {
    match status {
        "201" => "It was created; `Location` says where it is",
        "204" => "It was deleted",
        _ => "What was asked for",
    }
}

/// The document as JSON.
pub(super) fn text(document: &OpenApi) -> Arc<str> {
    #[expect(
        clippy::expect_used,
        reason = "a document of constants; the tests make one"
    )]
    let text = serde_json::to_string(document).expect("an OpenAPI document has a JSON form");
    text.into()
}

/// Answers the document. It holds no secret, so it needs no key.
pub(super) fn serve(document: &str) -> Response {
    ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
