//! Who somebody is: sign-in, enrolment, and the question whether it is still the same person.

pub(crate) mod enrol;
pub(crate) mod recovery_codes;
pub(crate) mod sign_in;
pub(crate) mod step_up;

/// A passkey, asked for or made by the page's script. Without a script its button does not show.
#[derive(Clone)]
pub(crate) struct Passkey {
    /// Where the answer of the device is sent to, as the field `passkey` (JSON).
    pub(crate) action: String,
    /// The options of the server as JSON, `PublicKeyCredentialRequestOptions` or `...CreationOptions`, bytes in base64url.
    pub(crate) options: String,
}
