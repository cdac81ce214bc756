//! `GET /openapi.json`, made from the handlers. A test holds it against the table of routes, both ways.

use std::sync::OnceLock;

use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::call::Answer;
use crate::problem::Problem;
use crate::trail::Mark;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Indelible",
        description = "Audit-ready access logs for AI systems. Errors are problem documents (RFC 9457). Reading is itself recorded.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        super::record::record,
        super::retrievals::record,
        super::find::search,
        super::follow::follow,
        super::count::count_events,
        super::sources::list,
        super::sql::sql,
        super::export::export,
        super::logs::list,
        super::logs::describe,
        super::logs::integrity,
        super::logs::entry,
        super::logs::proof,
        super::published::checkpoint,
        super::published::tile,
        super::published::verifier_key,
        super::tokens::create,
        super::tokens::list,
        super::tokens::revoke,
        super::approvals::list,
        super::approvals::decide,
        super::halts::list,
        super::halts::halt,
        super::halts::resume,
        super::alerts::list,
        super::alerts::show,
        super::alerts::acknowledge,
        super::alerts::close,
        super::silences::list,
        super::silences::set,
        super::silences::end,
        super::receivers::list,
        super::receivers::test,
        super::rules::list,
        super::sealed::unseal,
        super::sealed::forget,
        super::server::health,
        super::server::ready,
        super::server::metrics,
        super::server::explain_problem,
        openapi_json,
    ),
    security(("token" = []))
)]
struct Document;

/// The document itself.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "server.openapi", tag = "server", security(()),
    responses((status = 200, description = "This document (OpenAPI 3.1)", body = serde_json::Value))
)]
#[allow(dead_code, reason = "only its attribute is used: the handler below serves every call")]
fn openapi_json() {}

/// The document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_with(Default::default);
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

/// Serves it; it is put together once.
pub(crate) fn serve() -> Result<Answer, Problem> {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = match TEXT.get() {
        Some(text) => text.clone(),
        None => {
            let text = Bytes::from(document().to_pretty_json().map_err(Problem::internal)?);
            TEXT.get_or_init(|| text).clone()
        }
    };
    Ok(Answer::bytes("application/json", text, Mark::not_needed("the API, not what is in a log")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::ROUTES;

    #[test]
    fn each_route_is_in_the_document_and_nothing_else() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().iter();
                methods.map(move |(method, operation)| {
                    format!("{} {path} {}", method.to_uppercase(), operation["operationId"].as_str().unwrap())
                })
            })
            .collect();
        let routed: BTreeSet<String> = ROUTES
            .iter()
            .map(|route| format!("{} {} {}", route.method, route.path.replace("{*", "{"), route.operation.word()))
            .collect();
        assert_eq!(described, routed);
    }
}
