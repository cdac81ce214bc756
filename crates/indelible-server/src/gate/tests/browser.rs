//! The gate as a browser sees it: sessions, forms, and pages that are refused.

use super::*;

struct Seen {
    status: u16,
    text: String,
    headers: axum::http::HeaderMap,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The cookie it sets, as a browser sends it back.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

impl Bench {
    async fn browse(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Seen { status: parts.status.as_u16(), text, headers: parts.headers }
    }

    async fn sign_in(&self, token: &str, next: &str) -> Seen {
        let form = format!("token={token}&next={}", indelible_event::percent::encode(next));
        self.browse("POST", "/sign-in", &[FORM, SAME_ORIGIN], form).await
    }

    async fn session(&self) -> String {
        self.sign_in(&self.token, "/").await.cookie()
    }

    fn token_of(&self, name: &str, role: Role) -> (String, String) {
        let name = TokenName::new(name).unwrap();
        let new = NewToken { name, role, holder: indelible_access::Holder::default(), logs: None, expires: None };
        let (row, text) = self.app.tokens.keep(self.app.tokens.mint(new, 0).unwrap()).unwrap();
        (row.id, text.unwrap().reveal().to_owned())
    }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");
const ENTRY: &str = "/v1/logs/main/entries/0";

#[tokio::test]
async fn a_session_opens_what_its_token_opens_and_ends_when_one_signs_out() {
    let bench = Bench::new(false);
    let seen = bench.sign_in(&bench.token, "/search?q=a").await;
    assert_eq!((seen.status, seen.header("location")), (303, "/search?q=a"));
    let cookie = seen.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(&bench.token), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let seen = bench.browse("GET", ENTRY, &[("cookie", cookie)], String::new()).await;
    assert_eq!((seen.status, seen.text.as_str()), (200, SECRET));
    let out = bench.browse("POST", "/sign-out", &[("cookie", cookie), SAME_ORIGIN], String::new()).await;
    assert_eq!(out.status, 303);
    assert_eq!(bench.browse("GET", ENTRY, &[("cookie", cookie)], String::new()).await.status, 401);
    let recorded = bench.log.recorded.lock().unwrap().clone();
    let told: Vec<_> = recorded.iter().map(|event| (&event["operation"], &event["actor"]["auth"])).collect();
    let said = |operation: &str, auth: &str| (Value::from(operation), Value::from(auth));
    let expected = [said("sessions.begin", "token"), said("entries.read", "session"), said("sessions.end", "session")];
    assert_eq!(told[..3].iter().map(|(a, b)| ((*a).clone(), (*b).clone())).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_token_that_opens_nothing_or_is_for_programs_does_not_sign_in() {
    let bench = Bench::new(false);
    let (_, ingest) = bench.token_of("app", Role::Ingest);
    for (token, said) in [("ind_a_none", "not known here"), (ingest.as_str(), "for programs"), ("", "not known here")] {
        let seen = bench.sign_in(token, "/").await;
        assert_eq!((seen.status, seen.header("set-cookie")), (401, ""), "{token}");
        assert!(seen.text.contains(said), "{}", seen.text);
        assert!(token.is_empty() || !seen.text.contains(token), "a token is never shown again");
    }
    assert!(bench.operations().contains(&"sessions.begin".to_owned()), "a refused sign-in is on record");
}

#[tokio::test]
async fn without_a_record_nobody_signs_in() {
    let bench = Bench::new(false);
    bench.fail(Some(stopped()));
    let seen = bench.sign_in(&bench.token, "/").await;
    assert_eq!((seen.status, seen.header("set-cookie")), (503, ""));
}

#[tokio::test]
async fn a_page_of_somebody_else_changes_nothing() {
    let bench = Bench::new(false);
    let cookie = bench.session().await;
    let before = bench.app.tokens.list().unwrap().len();
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site"), ("content-type", "application/json")];
    let body = r#"{"name":"evil","role":"admin"}"#.to_owned();
    let seen = bench.browse("POST", "/v1/tokens", &foreign, body.clone()).await;
    assert_eq!(seen.status, 403, "{}", seen.text);
    assert_eq!(bench.app.tokens.list().unwrap().len(), before);
    for headers in [&[FORM, ("sec-fetch-site", "cross-site")][..], &[FORM], &[FORM, ("origin", "https://evil.example")]]
    {
        let form = format!("token={}", bench.token);
        assert_eq!(
            bench.browse("POST", "/sign-in", headers, form).await.status,
            403,
            "nobody is signed in by another's page"
        );
    }
    let own = [("cookie", cookie.as_str()), SAME_ORIGIN, ("content-type", "application/json")];
    assert_eq!(bench.browse("POST", "/v1/tokens", &own, body).await.status, 201);
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let bench = Bench::new(false);
    let (id, text) = bench.token_of("ana", Role::Read);
    let cookie = bench.sign_in(&text, "/").await.cookie();
    assert_eq!(bench.browse("GET", ENTRY, &[("cookie", &cookie)], String::new()).await.status, 200);
    bench.app.tokens.revoke(&id, 1).unwrap();
    assert_eq!(bench.browse("GET", ENTRY, &[("cookie", &cookie)], String::new()).await.status, 401);
}

#[tokio::test]
async fn every_page_asks_who_one_is_and_obeys_roles() {
    let bench = Bench::new(false);
    let (_, text) = bench.token_of("boss", Role::Approver);
    let cookie = bench.sign_in(&text, "/approvals").await.cookie();
    for route in
        crate::routes::pages::PAGES.iter().filter(|route| route.method == Method::GET && route.action.is_some())
    {
        let path = route.path.replace("{name}", "main").replace("{index}", "0").replace("{id}", "0");
        let nobody = bench.browse("GET", &path, &[], String::new()).await;
        assert_eq!(nobody.status, 303, "{path}");
        assert!(nobody.header("location").starts_with("/sign-in?next=%2F"), "{path}");
        let linked = bench.browse("GET", &path, &[("sec-fetch-site", "cross-site")], String::new()).await;
        assert!(
            linked.status == 200 && linked.text.contains("http-equiv=\"refresh\""),
            "a link from elsewhere: {path}"
        );
        if route.action.is_some_and(|action| !Role::Approver.may(action)) {
            let refused = bench.browse("GET", &path, &[("cookie", &cookie)], String::new()).await;
            assert_eq!(refused.status, 403, "{path}");
            assert!(
                refused.header("content-type").starts_with("text/html")
                    && refused.text.contains("which does not allow")
            );
            assert!(refused.header("content-security-policy").contains("default-src 'none'"));
        }
    }
}

#[tokio::test]
async fn what_comes_in_never_becomes_markup() {
    let bench = Bench::new(false);
    let cookie = bench.session().await;
    let seen = bench.browse("GET", "/search?%3Cscript%3E=1", &[("cookie", &cookie)], String::new()).await;
    assert_eq!(seen.status, 400);
    assert!(!seen.text.contains("<script>"), "{}", seen.text);
    let seen = bench.browse("GET", "/sign-in?next=%22%3E%3Cscript%3E", &[], String::new()).await;
    assert!(!seen.text.contains("<script>"), "{}", seen.text);
    let asset = bench.browse("GET", "/assets/app.css", &[], String::new()).await;
    assert_eq!((asset.status, asset.header("content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(bench.browse("GET", "/assets/../Cargo.toml", &[], String::new()).await.status, 404);
}
