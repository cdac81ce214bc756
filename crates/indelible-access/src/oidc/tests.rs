//! A provider made of nothing but its answers, and every way in which one, or somebody in between, may lie.

mod fake;
mod hostile;

use std::sync::Arc;

use indelible_event::words::ActorType;
use serde_json::{Value, json};

use self::fake::{Fake, ISSUER, NOW, settings, sign_in, sign_in_with};
use super::*;
use crate::role::Role;

#[test]
fn somebody_in_a_group_with_a_role_gets_in_by_each_kind_of_signature() {
    for with in ["ES256", "EdDSA", "RS256", "PS256"] {
        let fake = Fake::new(with);
        let signed_in = sign_in(&fake).unwrap_or_else(|error| panic!("{with}: {error:?}"));
        assert_eq!((signed_in.name.as_str(), signed_in.subject.as_str()), ("ana@example.com", "s-1"));
        assert_eq!((signed_in.rule.role, &signed_in.groups), (Role::Read, &vec!["auditors".to_owned()]));
        let identity = signed_in.identity();
        assert_eq!(identity.holder.actor_type(), ActorType::Human);
        assert_eq!((identity.role, identity.logs.as_deref()), (Role::Read, Some(&["main".to_owned()][..])));
        assert_eq!(
            (identity.id.len(), identity.id.starts_with("oidc_"), identity.holder.groups().len()),
            (29, true, 1)
        );
    }
}

#[test]
fn the_browser_is_sent_out_with_state_nonce_and_challenge_and_the_code_comes_back_with_the_verifier() {
    let fake = Fake::new("ES256");
    let provider = fake.provider(settings());
    let begun = provider.begin("/search?q=a", NOW).unwrap();
    let (address, query) = begun.location.split_once('?').unwrap();
    assert_eq!(address, "https://id.example.com/authorize");
    let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    assert_eq!(of("redirect_uri"), "https%3A%2F%2Flog.example.com%2Fsign-in%2Fcallback");
    assert_eq!(
        (of("response_type"), of("code_challenge_method"), of("client_id")),
        ("code".into(), "S256".into(), "indelible".into())
    );
    assert_eq!(of("scope"), "openid%20email%20profile");
    assert_eq!((of("state"), of("nonce")), (begun.pending.state.clone(), begun.pending.nonce.clone()));
    assert_eq!((begun.pending.verifier.len(), of("code_challenge").len()), (43, 43));
    assert_ne!(begun.pending.state, begun.pending.nonce);
    sign_in_with(&provider, &fake, &begun.pending).unwrap();
    let form = fake.last("/token");
    assert!(form.contains(&format!("code_verifier={}", begun.pending.verifier)), "{form}");
    assert!(
        form.contains("grant_type=authorization_code&code=c-1&redirect_uri=https%3A%2F%2Flog.example.com"),
        "{form}"
    );
    // RFC 6749 §2.3.1: name and secret are written as a form would, then put together
    assert!(form.ends_with("authorization=Basic aW5kZWxpYmxlOnMlM0FlY3JldA=="), "{form}");
}

#[test]
fn the_challenge_is_the_one_of_rfc_7636() {
    // appendix B
    use base64::Engine as _;
    use sha2::Digest as _;
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode(sha2::Sha256::digest("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn a_public_client_and_one_that_must_post_its_secret_show_themselves_in_the_form() {
    let fake = Fake::new("ES256");
    sign_in_with_settings(&fake, Settings { client_secret: None, ..settings() }).unwrap();
    assert!(fake.last("/token").contains("&client_id=indelible authorization="));
    fake.metadata(|metadata| metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]));
    sign_in(&fake).unwrap();
    assert!(fake.last("/token").contains("&client_id=indelible&client_secret=s%3Aecret authorization="));
}

fn sign_in_with_settings(fake: &Fake, settings: Settings) -> Result<SignedIn, OidcError> {
    let provider = fake.provider(settings);
    let begun = provider.begin("/", NOW)?;
    sign_in_with(&provider, fake, &begun.pending)
}

#[test]
fn claims_that_the_id_token_lacks_are_asked_for_and_only_of_the_same_person() {
    let fake = Fake::new("ES256");
    fake.claims(|claims| {
        claims.remove("email");
        claims.remove("groups");
    });
    *fake.user_info.lock().unwrap() = json!({"sub": "s-1", "email": "ana@example.com", "groups": ["auditors"]});
    assert_eq!(sign_in(&fake).unwrap().name.as_str(), "ana@example.com");
    assert!(fake.last("/me").ends_with("authorization=Bearer a-1"));
    *fake.user_info.lock().unwrap() = json!({"sub": "s-2", "email": "root@example.com", "groups": ["auditors"]});
    assert!(matches!(sign_in(&fake), Err(OidcError::Provider { what: "user information", .. })));
    *fake.user_info.lock().unwrap() = json!({"sub": "s-1", "email": "ana@example.com", "sneaky": ["auditors"]});
    assert!(matches!(sign_in(&fake), Err(OidcError::NoRole { .. })));
}

#[test]
fn the_first_rule_that_fits_gives_the_role_and_nobody_else_gets_in() {
    let rule = |group: &str, role| RoleRule { group: group.to_owned(), role, logs: None };
    let roles = vec![rule("responders", Role::Responder), rule("auditors", Role::Read), rule("root", Role::Admin)];
    let role = |groups: Value| {
        let fake = Fake::new("ES256");
        fake.claims(|claims| claims["groups"] = groups);
        sign_in_with_settings(&fake, Settings { roles: roles.clone(), ..settings() })
            .map(|signed_in| signed_in.rule.role)
    };
    assert_eq!(role(json!(["auditors", "responders"])).unwrap(), Role::Responder);
    assert_eq!(role(json!("root")).unwrap(), Role::Admin);
    assert_eq!(role(json!(["root", "auditors", 5, null, {"a": 1}])).unwrap(), Role::Read);
    for none in [
        json!([]),
        json!(["Auditors", "auditors ", "auditor"]),
        json!({"auditors": true}),
        json!(null),
        json!(["a,auditors"]),
    ] {
        assert!(matches!(role(none.clone()), Err(OidcError::NoRole { name }) if name == "ana@example.com"), "{none}");
    }
}

#[test]
fn groups_may_stand_deeper_and_a_claim_may_have_dots_in_its_name() {
    let fake = Fake::new("ES256");
    fake.claims(|claims| {
        claims["groups"] = json!([]);
        claims.insert("realm_access".to_owned(), json!({"roles": ["auditors"]}));
        claims.insert("https://example.com/groups".to_owned(), json!(["auditors"]));
    });
    for name in ["realm_access.roles", "https://example.com/groups"] {
        sign_in_with_settings(&fake, Settings { groups_claim: name.to_owned(), ..settings() }).unwrap();
    }
    let none = sign_in_with_settings(&fake, Settings { groups_claim: "realm_access.roles.0".to_owned(), ..settings() });
    assert!(matches!(none, Err(OidcError::NoRole { .. })));
}

#[test]
fn a_name_is_verified_fits_and_is_never_another_persons() {
    let named = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let fake = Fake::new("ES256");
        fake.claims(change);
        sign_in(&fake).map(|signed_in| signed_in.name.to_string())
    };
    assert_eq!(
        named(&|claims| claims["email"] = json!("o'neil+a:b@example.com")).unwrap(),
        "o:27neil:2ba:3ab@example.com"
    );
    assert_eq!(named(&|claims| drop(claims.remove("email_verified"))).unwrap(), "ana@example.com");
    assert_eq!(named(&|claims| claims["email_verified"] = json!("true")).unwrap(), "ana@example.com");
    for unverified in [json!(false), json!("false"), json!(0), json!(null)] {
        assert!(matches!(
            named(&|claims| claims["email_verified"] = unverified.clone()),
            Err(OidcError::Claims { .. })
        ));
    }
    for wrong in [json!(""), json!(7), json!(null), json!("indelible"), json!("a".repeat(65)), json!("'a")] {
        assert!(matches!(named(&|claims| claims["email"] = wrong.clone()), Err(OidcError::Claims { .. })), "{wrong}");
    }
}

#[test]
fn two_subjects_and_two_issuers_are_two_people() {
    let id = |issuer: &str, subject: &str| {
        let rule = RoleRule { group: "auditors".to_owned(), role: Role::Read, logs: None };
        let name = crate::TokenName::new("ana@example.com").unwrap();
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        SignedIn { issuer, subject, name, email: None, groups: Vec::new(), rule }.identity().id
    };
    assert_ne!(id(ISSUER, "1"), id(ISSUER, "2"));
    assert_ne!(id(ISSUER, "1"), id("https://id.example.org", "1"));
    assert_eq!(id(ISSUER, "1"), id(ISSUER, "1"));
}

#[test]
fn what_is_known_is_not_asked_again_and_new_keys_are_only_so_often() {
    let fake = Fake::new("ES256");
    let provider = fake.provider(settings());
    let finish = |now: i64| {
        let begun = provider.begin("/", now).unwrap();
        fake.at(now);
        let state = begun.pending.state.clone();
        fake.answer_to(&begun.pending);
        let callback = Callback { code: Some("c-1"), state: Some(&state), ..Callback::default() };
        provider.finish(&begun.pending, &callback, now)
    };
    finish(NOW).unwrap();
    finish(NOW + 1).unwrap();
    assert_eq!((fake.count("/.well-known/openid-configuration"), fake.count("/keys")), (1, 1));
    // the provider changes its key: found at once when the last look was long enough ago
    fake.rotate("k-2");
    assert!(matches!(finish(NOW + 2), Err(OidcError::Token(TokenFault::UnknownKey))));
    assert_eq!(fake.count("/keys"), 1, "a made-up id makes no request");
    finish(NOW + 60).unwrap();
    assert_eq!(fake.count("/keys"), 2);
    finish(NOW + 3_661).unwrap();
    assert_eq!((fake.count("/.well-known/openid-configuration"), fake.count("/keys")), (2, 3));
}

#[test]
fn a_provider_that_does_not_answer_is_left_alone_for_a_moment() {
    let fake = Fake::new("ES256");
    let provider = fake.provider(settings());
    fake.status("/.well-known/openid-configuration", 503);
    assert!(matches!(provider.begin("/", NOW), Err(OidcError::Provider { .. })));
    assert!(matches!(provider.begin("/", NOW + 1), Err(OidcError::Resting)));
    assert_eq!(fake.count("/.well-known/openid-configuration"), 1);
    fake.status("/.well-known/openid-configuration", 200);
    provider.begin("/", NOW + 5).unwrap();
}

#[test]
fn a_sign_in_under_way_is_used_once_ends_and_makes_room() {
    let fake = Fake::new("ES256");
    let provider = fake.provider(settings());
    let book = PendingBook::new(Arc::clone(&provider.randomness));
    let pending = || provider.begin("/a", NOW).unwrap().pending;
    let key = book.put(pending(), NOW).unwrap();
    assert_eq!(book.take(&key, NOW + 599).unwrap().next, "/a");
    assert!(book.take(&key, NOW).is_none(), "once");
    let key = book.put(pending(), NOW).unwrap();
    assert!(book.take(&key, NOW + 600).is_none(), "not after ten minutes");
    let first = book.put(pending(), NOW).unwrap();
    let keys: Vec<String> = (0..PENDING_MAX).map(|_| book.put(pending(), NOW + 1).unwrap()).collect();
    assert!(book.take(&first, NOW + 1).is_none(), "the oldest made room");
    assert!(keys.iter().all(|key| book.take(key, NOW + 1).is_some()));
    assert!(book.take("", NOW).is_none() && book.take(&"a".repeat(100_000), NOW).is_none());
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let wrong = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap_err()
    };
    assert_eq!(wrong(&|s| s.issuer = "http://id.example.com".into()), SettingsError::Address { key: "issuer" });
    assert_eq!(wrong(&|s| s.issuer = "https://id.example.com?a=b".into()), SettingsError::Address { key: "issuer" });
    assert_eq!(
        wrong(&|s| s.redirect_url = "http://log.example.com/a".into()),
        SettingsError::Address { key: "redirect_url" }
    );
    assert_eq!(wrong(&|s| s.client_id = String::new()), SettingsError::Form { key: "client_id" });
    assert_eq!(wrong(&|s| s.scopes = vec!["a b".into()]), SettingsError::Form { key: "scopes" });
    assert_eq!(wrong(&|s| s.roles.clear()), SettingsError::Missing { key: "role" });
    assert_eq!(wrong(&|s| s.roles = vec![s.roles[0].clone(); 257]), SettingsError::TooMany { key: "role", most: 256 });
    assert!(matches!(wrong(&|s| s.roles[0].role = Role::Gateway), SettingsError::Role { role: Role::Gateway, .. }));
    assert!(!format!("{:?}", settings()).contains("ecret\""), "secrets are not shown");
}
