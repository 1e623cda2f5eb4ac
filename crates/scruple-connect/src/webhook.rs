//! A webhook: each message is a JSON object, sent by POST and signed, so that who receives it knows whose it is.
//!
//! The header `Scruple-Signature: t=SECONDS,v1=HEX` holds the HMAC-SHA256 of `SECONDS.BODY` under the shared secret.

use crate::web::Web;
use aws_lc_rs::hmac;
use scruple_app::message::{Channel, Delivering, Message, NotTaken, Receipt, Told};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

/// The channel `webhook`.
pub struct WebhookChannel {
    web: Web,
    address: String,
    key: hmac::Key,
}

impl WebhookChannel {
    /// A channel to an address, which signs with a secret.
    #[must_use]
    pub fn new(web: Web, address: String, secret: &SecretString) -> Self {
        Self { web, address, key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()) }
    }

    fn signature(&self, seconds: i64, body: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{seconds}.{body}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={seconds},v1={hex}")
    }

    async fn send(&self, message: &Message) -> Result<Receipt, NotTaken> {
        let body = json!({
            "id": message.id.to_string(),
            "kind": message.told.code(),
            "title": message.title,
            "link": message.link,
            "at": message.at.to_string(),
        })
        .to_string();
        let seconds = message.at.micros().div_euclid(1_000_000);
        let answer =
            self.web.post_json(&self.address, ("scruple-signature", &self.signature(seconds, &body)), &body).await;
        match answer {
            Ok(status @ 200..=299) => Ok(Receipt { recipients: 1, status }),
            Ok(_) => Err(NotTaken("webhook_refused")),
            Err(_) => Err(NotTaken("webhook_unreachable")),
        }
    }
}

impl Channel for WebhookChannel {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn takes(&self, told: Told) -> bool {
        // Others read it: what is one person's does not go this way.
        !told.is_personal()
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Delivering<'a> {
        Box::pin(self.send(message))
    }
}
