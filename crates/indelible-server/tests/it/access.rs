//! Who may: tokens made, used, limited, revoked; refusals told apart and told the same where existence is a secret.

use indelible_server::config::{Config, LogConfig};
use indelible_server::routes::ROUTES;

use crate::harness::{Server, bearer, event};

fn two_logs() -> Server {
    let mut config = Config::default();
    config.logs.0.push(LogConfig { name: "other".to_owned(), ..LogConfig::default() });
    Server::start_with(config)
}

#[test]
fn each_role_gets_through_exactly_where_the_table_says() {
    let server = Server::start();
    let tokens = ["admin", "ingest", "read"].map(|role| (role, server.token(&format!("a-{role}"), role, None)));
    for route in &ROUTES {
        let path = route
            .path
            .replace("{name}", "main")
            .replace("{index}", "0")
            .replace("{*tile}", "0/000.p/1")
            .replace("{id}", "tok_none")
            .replace("{code}", "conflict");
        let body: Option<&[u8]> = (route.method == "POST").then_some(b"{}");
        let anybody = server.send(route.method.as_str(), &path, &[], body).status;
        assert_eq!(anybody == 401, route.action.is_some(), "{} {path} without a token: {anybody}", route.method);
        let Some(action) = route.action else { continue };
        for (word, token) in &tokens {
            let role = indelible_access::Role::parse(word).unwrap();
            // Following never ends by itself; that it is let through is seen in the tests of search.
            if path.ends_with("/stream") && role.may(action) {
                continue;
            }
            let answer = server.send(route.method.as_str(), &path, &[("authorization", &bearer(token))], body);
            assert_ne!(answer.status, 401, "{word} {} {path}", route.method);
            assert_eq!(answer.status == 403, !role.may(action), "{word} {} {path}: {}", route.method, answer.text());
        }
    }
}

#[test]
fn a_bad_token_is_refused_and_told_how_to_do_better() {
    let server = Server::start();
    for header in ["Bearer nonsense-token", "Basic YTpi", "Bearer", ""] {
        let refused = server.send("GET", "/v1/logs", &[("authorization", header)], None);
        assert_eq!((refused.status, refused.problem().as_str()), (401, "unauthenticated"), "{header}");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"indelible\"");
    }
}

#[test]
fn a_revoked_token_opens_nothing_and_the_list_shows_no_secret() {
    let server = Server::start();
    let token = server.token("agent", "read", None);
    assert_eq!(server.get_as(&token, "/v1/logs").status, 200);
    let list = server.get("/v1/tokens");
    assert!(!list.text().contains(&token) && !list.text().contains("\"token\""));
    let tokens = list.json()["tokens"].clone();
    let agent = tokens.as_array().unwrap().iter().find(|row| row["name"] == "agent").unwrap().clone();
    assert!(agent["last_used"].is_string() && agent["revoked"].is_null());
    let path = format!("/v1/tokens/{}", agent["id"].as_str().unwrap());
    let admin = bearer(crate::harness::ADMIN);
    let revoked = server.send("DELETE", &path, &[("authorization", &admin)], None);
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(server.get_as(&token, "/v1/logs").status, 401);
    assert_eq!(server.send("DELETE", &path, &[("authorization", &admin)], None).status, 404);
}

#[test]
fn a_token_limited_to_a_log_learns_nothing_of_others() {
    let server = two_logs();
    let token = server.token("narrow", "read", Some(&["other"]));
    assert_eq!(server.get_as(&token, "/v1/logs/other").status, 200);
    let names: Vec<String> = server.get_as(&token, "/v1/logs").json()["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| log["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["other"]);
    let (there, not_there) = (server.get_as(&token, "/v1/logs/main"), server.get_as(&token, "/v1/logs/none"));
    assert_eq!((there.status, not_there.status), (403, 403));
    assert_eq!(there.text().replace("main", "none").len(), not_there.text().len());
    let writer = server.token("writer", "ingest", Some(&["other"]));
    let answer = server.send(
        "POST",
        "/v1/events",
        &[("authorization", &bearer(&writer))],
        Some(event(None, "a").to_string().as_bytes()),
    );
    assert_eq!(answer.json()["log"], "other");
}

#[test]
fn wrong_descriptions_of_tokens_are_refused() {
    let server = Server::start();
    server.token("agent", "read", None);
    for (body, status, words) in [
        (r#"{"name":"agent","role":"read"}"#, 409, "a live token is named `agent` already"),
        (
            r#"{"name":"x","role":"root"}"#,
            400,
            "the role is `admin`, `ingest`, `read`, `gateway`, `approver` or `responder`",
        ),
        (r#"{"name":"anonymous","role":"read"}"#, 400, "kept for the server's own events"),
        (r#"{"name":"x","role":"read","expires":"2020-01-01T00:00:00Z"}"#, 400, "lies in the past"),
        (r#"{"name":"x","role":"read","expires":"tomorrow"}"#, 400, "a time with an offset"),
        (r#"{"name":"x","role":"read","logs":["mian"]}"#, 404, "did you mean `main`?"),
        (r#"{"name":"x","role":"admin","logs":["main"]}"#, 400, "cannot be limited"),
        (r#"{"name":"x","role":"read","until":"x"}"#, 400, "unknown field `until`"),
    ] {
        let answer = server.post("/v1/tokens", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(words), "{}", answer.text());
    }
}

#[test]
fn wrong_paths_and_methods_are_told() {
    let server = Server::start();
    assert_eq!(server.get("/v2/events").problem(), "not-found");
    let method = server.post("/v1/stats", "");
    assert_eq!((method.status, method.problem().as_str(), method.header("allow")), (405, "method-not-allowed", "GET"));
    assert_eq!(server.send("PUT", "/v1/tokens", &[], None).header("allow"), "POST, GET");
    assert!(server.get("/problems/conflict").text().starts_with("conflict (409): "));
}
