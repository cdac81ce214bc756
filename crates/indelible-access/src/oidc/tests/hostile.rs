//! Lies: of the token, of the browser, of the provider.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::*;
use super::fake::{Fake, ISSUER, NOW, settings, sign_in};

fn fault(fake: &Fake) -> TokenFault {
    match sign_in(fake) {
        Err(OidcError::Token(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_without_a_signature_or_with_a_shared_secret_is_nobodys() {
    for with in ["ES256", "EdDSA", "RS256"] {
        let fake = Fake::new(with);
        for word in ["none", "None", "NONE", ""] {
            let changes = json!({"alg": word});
            fake.forge(move |fake, _| format!("{}.", fake.unsigned(&changes)));
            assert_eq!(fault(&fake), TokenFault::Algorithm, "{word}");
        }
        // the provider even announces HS256: the public key as a secret (the classic confusion), and the client's secret
        for (word, hash) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            for secret in [fake.public_der(), b"s:ecret".to_vec(), Vec::new()] {
                let key = hmac::Key::new(hash, &secret);
                fake.forge(move |fake, _| {
                    let message = fake.unsigned(&json!({"alg": word}));
                    let tag = hmac::sign(&key, message.as_bytes());
                    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
                });
                assert_eq!(fault(&fake), TokenFault::Algorithm);
            }
        }
    }
}

#[test]
fn what_the_provider_does_not_announce_is_not_accepted() {
    let fake = Fake::new("ES256");
    for (word, expected) in
        [("RS256", TokenFault::Algorithm), ("ES384", TokenFault::Algorithm), ("RS1", TokenFault::Algorithm)]
    {
        fake.forge(move |fake, _| fake.signed(&json!({"alg": word})));
        assert_eq!(fault(&fake), expected, "{word}");
    }
    // announced, but the key is of another kind
    fake.metadata(|metadata| metadata["id_token_signing_alg_values_supported"] = json!(["ES256", "RS256", "EdDSA"]));
    for word in ["RS256", "EdDSA"] {
        fake.forge(move |fake, _| fake.signed(&json!({"alg": word})));
        assert_eq!(fault(&fake), TokenFault::UnknownKey, "{word}");
    }
}

#[test]
fn a_signature_of_another_key_or_over_something_else_is_wrong() {
    for with in ["ES256", "EdDSA", "RS256", "PS256"] {
        let fake = Fake::new(with);
        let other = Fake::new(if with == "EdDSA" { "EdDSA" } else { "ES256" });
        fake.forge(move |fake, right| {
            let (_, signature) = right.rsplit_once('.').unwrap();
            let claims = right.split('.').nth(1).unwrap();
            let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            claims["email"] = json!("root@example.com");
            let header = fake.unsigned(&json!({}));
            format!("{}.{}.{signature}", header.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(claims.to_string()))
        });
        assert_eq!(fault(&fake), TokenFault::Signature, "{with}: other claims");
        fake.forge(move |fake, _| {
            let signed = other.signed(&json!({}));
            format!("{}.{}", fake.unsigned(&json!({})), signed.rsplit_once('.').unwrap().1)
        });
        assert_eq!(fault(&fake), TokenFault::Signature, "{with}: another key");
        fake.forge(|_, right| format!("{}.", right.rsplit_once('.').unwrap().0));
        assert_eq!(fault(&fake), TokenFault::Signature, "{with}: none");
    }
}

#[test]
fn a_key_inside_the_token_is_not_looked_at() {
    let fake = Fake::new("ES256");
    let own = Fake::new("ES256");
    let key = own.public_key("k-9");
    fake.forge(move |_, _| own.signed(&json!({"jwk": key, "jku": "https://evil.example/keys", "kid": "k-9"})));
    assert_eq!(fault(&fake), TokenFault::UnknownKey);
    assert_eq!(fake.count("/keys"), 1);
}

#[test]
fn a_key_id_stands_for_one_key_and_without_one_there_is_one_key() {
    let fake = Fake::new("ES256");
    fake.header("kid", Value::Null);
    sign_in(&fake).unwrap();
    fake.keys(|keys| {
        let other = fake.public_key("k-2");
        keys["keys"].as_array_mut().unwrap().push(other);
    });
    assert_eq!(fault(&fake), TokenFault::AmbiguousKey, "which one?");
    fake.header("kid", json!("k-1"));
    sign_in(&fake).unwrap();
    fake.keys(|keys| {
        let same_id = fake.public_key("k-1");
        keys["keys"].as_array_mut().unwrap().push(same_id);
    });
    assert_eq!(fault(&fake), TokenFault::AmbiguousKey);
    for unknown in ["k-3", "", "K-1"] {
        fake.header("kid", json!(unknown));
        assert_eq!(fault(&fake), TokenFault::UnknownKey, "{unknown:?}");
    }
}

#[test]
fn a_key_that_is_for_something_else_signs_nobody_in() {
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES384")),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
        ("x", Value::Null),
    ] {
        let fake = Fake::new("ES256");
        fake.keys(|keys| keys["keys"][1][name] = value);
        assert_eq!(fault(&fake), TokenFault::UnknownKey, "{name}");
    }
}

#[test]
fn key_sets_are_bounded() {
    let fake = Fake::new("ES256");
    fake.keys(|keys| keys["keys"] = Value::Array(vec![json!({"kty": "none"}); 65]));
    assert!(matches!(sign_in(&fake), Err(OidcError::Provider { what: "keys", .. })));
    let fake = Fake::new("ES256");
    fake.keys(|keys| keys["padding"] = json!("x".repeat(256 * 1024)));
    let refused = sign_in(&fake).unwrap_err();
    assert_eq!(refused.to_string(), "the provider's keys cannot be used: it is longer than 262144 bytes");
    let fake = Fake::new("ES256");
    fake.keys(|keys| *keys = json!({"keys": "none"}));
    assert!(matches!(sign_in(&fake), Err(OidcError::Provider { what: "keys", .. })));
}

#[test]
fn a_token_of_another_issuer_client_sign_in_or_time_is_refused() {
    let with = |name: &'static str, value: Value| {
        let fake = Fake::new("ES256");
        fake.claims(|claims| {
            claims.insert(name.to_owned(), value);
        });
        fault(&fake)
    };
    for issuer in
        ["https://id.example.com/", "https://ID.example.com", "https://id.example.org", "http://id.example.com"]
    {
        assert_eq!(with("iss", json!(issuer)), TokenFault::Issuer);
    }
    assert_eq!(with("iss", json!([ISSUER])), TokenFault::Claim("iss"));
    for audience in [json!("other"), json!(["other"]), json!([]), json!(["other", "indelible"]), json!("Indelible")] {
        assert_eq!(with("aud", audience.clone()), TokenFault::Audience, "{audience}");
    }
    assert_eq!(with("aud", json!({"indelible": 1})), TokenFault::Claim("aud"));
    assert_eq!(with("aud", Value::Array(vec![json!("indelible"); 65])), TokenFault::Claim("aud"));
    assert_eq!(with("azp", json!("other")), TokenFault::Audience);
    assert_eq!(with("nonce", json!("n")), TokenFault::Nonce);
    assert_eq!(with("nonce", Value::Null), TokenFault::Claim("nonce"));
    assert_eq!(with("exp", json!(NOW - 60)), TokenFault::Time);
    assert_eq!(with("exp", json!("never")), TokenFault::Claim("exp"));
    assert_eq!(with("exp", Value::Null), TokenFault::Claim("exp"));
    assert_eq!(with("iat", json!(NOW + 61)), TokenFault::Time);
    assert_eq!(with("iat", json!(NOW - 661)), TokenFault::Time);
    assert_eq!(with("iat", json!(1e300)), TokenFault::Time);
    assert_eq!(with("nbf", json!(NOW + 61)), TokenFault::Time);
}

#[test]
fn clocks_may_be_a_little_off_and_several_audiences_need_it_to_be_given_to_us() {
    for (name, value) in [
        ("exp", json!(NOW - 59)),
        ("iat", json!(NOW + 60)),
        ("iat", json!(NOW - 660)),
        ("nbf", json!(NOW + 60)),
        ("exp", json!(4e9)),
    ] {
        let fake = Fake::new("ES256");
        fake.claims(|claims| {
            claims.insert(name.to_owned(), value);
        });
        sign_in(&fake).unwrap();
    }
    let fake = Fake::new("ES256");
    fake.claims(|claims| {
        claims["aud"] = json!(["other", "indelible"]);
        claims.insert("azp".to_owned(), json!("indelible"));
    });
    sign_in(&fake).unwrap();
}

#[test]
fn a_token_of_another_form_or_kind_is_refused() {
    for kind in ["at+jwt", "logout+jwt", "dpop+jwt"] {
        let fake = Fake::new("ES256");
        fake.header("typ", json!(kind));
        assert_eq!(fault(&fake), TokenFault::Kind, "{kind}");
    }
    for name in ["crit", "b64"] {
        let fake = Fake::new("ES256");
        fake.header(name, json!(["exp"]));
        assert_eq!(fault(&fake), TokenFault::Kind);
    }
    let fake = Fake::new("ES256");
    fake.header("typ", Value::Null);
    sign_in(&fake).unwrap();
    let wrong: [fn(&str) -> String; 6] = [
        |_| String::new(),
        |_| "..".to_owned(),
        |right| format!("{right}.e30"),
        |right| format!(" {right}"),
        |right| right.replacen('.', "=.", 1),
        |_| "a".repeat(128 * 1024 + 1),
    ];
    for wrong in wrong {
        fake.forge(move |_, right| wrong(right));
        assert_eq!(fault(&fake), TokenFault::Form);
    }
}

#[test]
fn an_answer_of_another_sign_in_or_another_provider_does_not_count() {
    let fake = Fake::new("ES256");
    let provider = fake.provider(settings());
    let pending = provider.begin("/", NOW).unwrap().pending;
    fake.answer_to(&pending);
    let refused = |callback: Callback<'_>| match provider.finish(&pending, &callback, NOW) {
        Err(OidcError::Answer { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let right = Callback { code: Some("c-1"), state: Some(&pending.state), ..Callback::default() };
    assert_eq!(refused(Callback { state: None, ..right }), "its state is another one");
    assert_eq!(refused(Callback { state: Some(""), ..right }), "its state is another one");
    assert_eq!(refused(Callback { state: Some(&pending.nonce), ..right }), "its state is another one");
    // mix-up (RFC 9207 §1): another provider's answer
    assert_eq!(refused(Callback { iss: Some("https://evil.example"), ..right }), "another provider gave it");
    assert_eq!(refused(Callback { code: None, ..right }), "it holds no code");
    assert_eq!(refused(Callback { code: Some(&"c".repeat(8_193)), ..right }), "it holds no code");
    assert_eq!(fake.count("/token"), 0, "no code was sent to anybody");
    // an error counts only with the right state
    let error = Callback { error: Some("access_denied"), state: Some("x"), ..Callback::default() };
    assert_eq!(refused(error), "its state is another one");
    let denied = provider.finish(&pending, &Callback { state: Some(&pending.state), ..error }, NOW).unwrap_err();
    assert_eq!(denied.to_string(), "the provider refused the sign-in: access_denied");
    let markup = Callback { error: Some("<b>"), state: Some(&pending.state), ..Callback::default() };
    assert!(matches!(provider.finish(&pending, &markup, NOW), Err(OidcError::Denied { code }) if !code.contains('<')));
    assert!(provider.finish(&pending, &Callback { iss: Some(ISSUER), ..right }, NOW).is_ok());
}

#[test]
fn a_provider_that_names_itself_in_answers_must_do_so() {
    let fake = Fake::new("ES256");
    fake.metadata(|metadata| metadata["authorization_response_iss_parameter_supported"] = json!(true));
    assert!(matches!(sign_in(&fake), Err(OidcError::Answer { reason: "it does not say which provider gave it" })));
}

#[test]
fn a_provider_that_says_of_itself_what_cannot_be_is_not_used() {
    let changes: [(&str, Value); 10] = [
        ("issuer", json!("https://id.example.com/")),
        ("issuer", json!("https://evil.example")),
        ("authorization_endpoint", json!("http://id.example.com/authorize")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("token_endpoint", json!("http://127.0.0.1:6379/")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("userinfo_endpoint", json!("https://a@b/")),
        ("response_types_supported", json!(["id_token"])),
        ("code_challenge_methods_supported", json!(["plain"])),
        ("id_token_signing_alg_values_supported", json!(["none", "HS256", "RS512"])),
    ];
    for (name, value) in changes {
        let fake = Fake::new("ES256");
        fake.metadata(|metadata| metadata[name] = value);
        let refused = fake.provider(settings()).begin("/", NOW);
        assert!(matches!(refused, Err(OidcError::Provider { what: "description of itself", .. })), "{name}");
    }
}

#[test]
fn a_redirect_or_an_error_of_the_provider_is_told_without_what_it_sent() {
    for (path, status) in [("/.well-known/openid-configuration", 302), ("/keys", 404), ("/token", 302), ("/token", 500)]
    {
        let fake = Fake::new("ES256");
        fake.status(path, status);
        let refused = sign_in(&fake).unwrap_err();
        assert!(matches!(refused, OidcError::Provider { .. }), "{path}");
        assert!(refused.to_string().ends_with(&format!("it answered {status} instead of 200")), "{refused}");
    }
    let fake = Fake::new("ES256");
    fake.status("/token", 400);
    assert_eq!(sign_in(&fake).unwrap_err().to_string(), "the provider refused the sign-in: it did not say why");
}
