//! TLS to the server: whom it trusts, and that a name must fit.

use crate::support::{PATIENT, within};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use scruple_connect::{Base, HttpUpstream, InvalidOptions, Options, Roots};
use scruple_release::{Fetched, Upstream, UpstreamError};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server for `localhost` that answers every request with a patient; its port, and the authority that vouches for it.
async fn serve() -> (u16, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![own.der().clone()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4_096];
                while let Ok(1..) = stream.read(&mut request).await {
                    let length = PATIENT.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
                    );
                    if stream.write_all(format!("{head}{PATIENT}").as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, authority.pem().into_bytes())
}

async fn check(url: &str, roots: Roots) -> Result<Option<Fetched>, UpstreamError> {
    let base = Base::parse(url).unwrap();
    let upstream = HttpUpstream::new(&Options { roots, call_ms: 5_000, ..Options::new(base) }).unwrap();
    let first = within(upstream.read("Patient", "p1")).await?;
    assert_eq!(within(upstream.read("Patient", "p1")).await.as_ref(), Ok(&first));
    assert_eq!(upstream.counts().opened(), 1, "the connection is used again");
    Ok(first)
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_name_alone() {
    let (port, authority) = serve().await;
    let own = Roots::Pem(authority);
    let read = check(&format!("https://localhost:{port}/fhir"), own.clone()).await;
    assert_eq!(read.unwrap().as_deref(), Some(PATIENT.as_bytes()));
    let unknown = check(&format!("https://localhost:{port}/fhir"), Roots::Public).await;
    assert_eq!(unknown, Err(UpstreamError::Unreachable), "an authority that nobody knows");
    let name = check(&format!("https://127.0.0.1:{port}/fhir"), own.clone()).await;
    assert_eq!(name, Err(UpstreamError::Unreachable), "another name");
    let plain = check(&format!("http://localhost:{port}/fhir"), own).await;
    assert!(plain.is_err(), "plain text to TLS");
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_refused_at_the_start() {
    let check = |pem: &str| {
        let roots = Roots::Pem(pem.as_bytes().to_vec());
        HttpUpstream::new(&Options { roots, ..Options::new(Base::parse("https://a").unwrap()) }).map(|_| ())
    };
    assert_eq!(check(""), Err(InvalidOptions::Roots));
    assert_eq!(check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), Err(InvalidOptions::Roots));
}
