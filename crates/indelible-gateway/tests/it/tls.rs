//! An upstream behind TLS: HTTP/2 where both can, trusted by the authorities that are set and by no others.

use std::sync::Arc;

use indelible_access::door::Door;
use indelible_gateway::llm::settings::Format;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::stand::{Stand, read};
use crate::upstream::{Script, Upstream};

#[tokio::test]
async fn upstream_is_trusted_by_the_given_authority_alone() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tls = TlsAcceptor::from(Arc::new(config));
    let folder = tempfile::TempDir::new().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certified.cert.pem()).unwrap();

    for (trusted, status) in [(true, 200), (false, 502)] {
        let upstream = Upstream::start_with(Script::json("{\"data\":[]}"), Some(tls.clone())).await;
        let url = format!("https://localhost:{}", upstream.address.port());
        let stand = Stand::build(Door::permit_all(), Format::OpenAi, upstream, |settings| {
            settings.upstream = url;
            settings.ca_file = trusted.then(|| ca.clone());
        })
        .await;
        let answer = read(stand.post("/v1/embeddings", r#"{"model":"e","input":"x"}"#).await).await;
        assert_eq!(answer.0, status);
        if trusted {
            assert_eq!(stand.upstream.got()[0].version, http::Version::HTTP_2);
        }
        assert_eq!(stand.endings().await.len(), 2);
    }
}
