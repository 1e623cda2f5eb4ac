//! TLS of a listener: a certificate chain and its key, from PEM.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;

/// Why a certificate or key cannot be used. None holds a byte of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no certificate in the PEM.
    #[error("no certificate in the chain's PEM")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("certificate {0} of the chain cannot be read")]
    Certificate(usize),
    /// There is no private key in the PEM, or it cannot be read.
    #[error("no private key that can be read in the key's PEM")]
    Key,
    /// The key is of a kind that is not taken, or is not the certificate's.
    #[error("the key does not go with the certificate")]
    Mismatch,
    /// The provider of cryptography lacks what TLS needs.
    #[error("no TLS version can be offered")]
    Provider,
}

/// TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1 offered by ALPN.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// From PEM: the chain, the listener's own certificate first, and its private key (PKCS#8, SEC1 or PKCS#1).
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(chain)
            .enumerate()
            .map(|(index, certificate)| certificate.map_err(|_| TlsError::Certificate(index + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::Provider)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|_| TlsError::Mismatch)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let check = |chain: &str, key: &str| Tls::from_pem(chain.as_bytes(), key.as_bytes()).map(|_| ()).unwrap_err();
        assert!(Tls::from_pem(chain.as_bytes(), key.as_bytes()).is_ok());
        assert_eq!(check("", &key), TlsError::NoCertificate);
        assert_eq!(check(&key, &key), TlsError::NoCertificate);
        assert_eq!(
            check("-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n", &key),
            TlsError::Certificate(1)
        );
        assert_eq!(check(&chain, ""), TlsError::Key);
        assert_eq!(check(&chain, &chain), TlsError::Key);
        assert_eq!(check(&chain, &other.serialize_pem()), TlsError::Mismatch);
    }
}
