//! An authenticator in software: P-256 keys, attestation `none`, and everything that it could say wrongly.

use crate::base64url;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Flags of authenticator data: user present, user verified, attested credential data.
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One credential and how its holder behaves.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub id: Vec<u8>,
    pub user: Vec<u8>,
    pub counter: u32,
    /// What browser and authenticator say; tests change it.
    pub says: Says,
}

/// What is said in an answer.
#[derive(Clone)]
pub struct Says {
    pub origin: String,
    pub domain: String,
    pub present: bool,
    pub verified: bool,
    /// Further members of the client data, as JSON text with a comma before it.
    pub client_data: &'static str,
    pub algorithm: i8,
}

impl Authenticator {
    pub fn new(name: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let says = Says {
            origin: "https://console.example".to_owned(),
            domain: "console.example".to_owned(),
            present: true,
            verified: true,
            client_data: "",
            algorithm: -7,
        };
        Self { key, id: format!("credential of {name}").into_bytes(), user: Vec::new(), counter: 1, says }
    }

    /// `navigator.credentials.create`.
    pub fn create(&mut self, options: &str) -> Value {
        let options: Value = serde_json::from_str(options).unwrap();
        self.user = URL_SAFE_NO_PAD.decode(options["publicKey"]["user"]["id"].as_str().unwrap()).unwrap();
        let client_data = self.client_data("webauthn.create", &options);
        let mut data = self.data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x59");
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        json!({
            "id": base64url(&self.id), "rawId": base64url(&self.id), "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {"clientDataJSON": base64url(client_data), "attestationObject": base64url(object),
                         "transports": ["internal"]},
        })
    }

    /// `navigator.credentials.get`.
    pub fn get(&mut self, options: &str) -> Value {
        self.counter = self.counter.wrapping_add(1);
        let options: Value = serde_json::from_str(options).unwrap();
        let client_data = self.client_data("webauthn.get", &options);
        let data = self.data(0);
        let signed = [data.as_slice(), digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": base64url(&self.id), "rawId": base64url(&self.id), "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {"clientDataJSON": base64url(client_data), "authenticatorData": base64url(data),
                         "signature": base64url(signature), "userHandle": base64url(&self.user)},
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let challenge = options["publicKey"]["challenge"].as_str().unwrap();
        let Says { origin, client_data, .. } = &self.says;
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{client_data}}}"#)
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut flags = flags;
        flags |= if self.says.present { PRESENT } else { 0 };
        flags |= if self.says.verified { VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.says.domain.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// {1: 2, 3: alg, -1: 1, -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let algorithm = 0x20 | u8::try_from(-1 - self.says.algorithm).unwrap();
        [&[0xa5, 0x01, 0x02, 0x03, algorithm, 0x20, 0x01, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y].concat()
    }
}
