//! `GET api/openapi.json`: the document, made from the handlers and their structs.

use std::sync::{Arc, LazyLock};

use axum::{Json, extract::State};
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, PathItem, Ref, ResponseBuilder, Server,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    asking::{Asking, Nothing},
    config, errors, live, overview, requests, route_list, users,
};
use crate::dashboard::{access::Auth, audit::AuditApi, live::stream, problem::Problem, site::Site, visit::Visit};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tracevault dashboard",
        description = "Requests, and how they went. Times are RFC 3339, durations milliseconds."
    ),
    paths(
        config::config,
        errors::errors,
        live::live,
        openapi,
        overview::overview,
        requests::request,
        route_list::routes,
        stream::stream,
        users::user,
        users::users
    ),
    components(schemas(Problem, stream::Gap))
)]
struct Endpoints;

/// Of a dashboard without audit events, and of one with them.
static DOCUMENTS: LazyLock<[utoipa::openapi::OpenApi; 2]> =
    LazyLock::new(|| [document(Endpoints::openapi()), document(Endpoints::openapi().merge_from(AuditApi::openapi()))]);

fn document(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        let PathItem { get: Some(operation), .. } = item else { continue };
        may_fail(operation);
    }
    document
}

/// Everything may be answered by a problem.
fn may_fail(operation: &mut Operation) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description("What went wrong").content("application/problem+json", problem);
    operation.responses.responses.insert("default".to_owned(), response.build().into());
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", params(Asking<Nothing>), responses((status = 200, body = Object)))]
pub(super) async fn openapi(
    State(site): State<Arc<Site>>,
    visit: Visit,
    _: Asking<Nothing>,
) -> Json<utoipa::openapi::OpenApi> {
    let mut document = DOCUMENTS[usize::from(site.audit.is_some())].clone();
    document.servers = Some(vec![Server::new(format!("{}/api", visit.base))]);
    if let Auth::Basic { .. } = site.auth {
        let basic = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
        document.components.get_or_insert_default().add_security_scheme("basic", basic);
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("basic", [])]);
    }
    Json(document)
}
