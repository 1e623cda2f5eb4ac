//! Mail over SMTP (RFC 5321): encrypted, by STARTTLS or from the first byte; in clear to this machine alone.

use crate::options::Roots;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};
use scruple_app::message::{Channel, Delivering, Message, NotTaken, Receipt, Told};
use secrecy::{ExposeSecret as _, SecretString};

/// A mail server and whom it tells what.
pub struct MailOptions {
    /// `smtps://host[:port]`, or `smtp://host[:port]` with STARTTLS.
    pub server: String,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    /// Whose certificate is believed.
    pub roots: Roots,
    /// Whom the mails are from.
    pub from: String,
    /// Whom emergencies and their reviews are told to.
    pub privacy: Vec<String>,
    /// Whom requests are told to.
    pub requests: Vec<String>,
    /// The domain of the addresses of those of whom the directory tells none: `login@domain`.
    pub people: Option<String>,
}

/// Why mail cannot be set up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMail {
    /// The server is no address of one.
    #[error("a mail server is `smtps://host` or `smtp://host`, with a port if it is another one")]
    Server,
    /// An address cannot be read.
    #[error("`{0}` is no mail address")]
    Address(String),
    /// The certificates cannot be read.
    #[error("the certificates for the mail server cannot be read")]
    Roots,
}

/// The channel `mail`.
pub struct MailChannel {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    privacy: Vec<Mailbox>,
    requests: Vec<Mailbox>,
    people: Option<String>,
}

impl MailChannel {
    /// A channel that opens a connection for each mail.
    ///
    /// # Errors
    /// See [`InvalidMail`].
    pub fn new(options: &MailOptions) -> Result<Self, InvalidMail> {
        let address = |text: &String| text.parse::<Mailbox>().map_err(|_| InvalidMail::Address(text.clone()));
        let addresses = |texts: &[String]| texts.iter().map(address).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            transport: transport(options)?,
            from: address(&options.from)?,
            privacy: addresses(&options.privacy)?,
            requests: addresses(&options.requests)?,
            people: options
                .people
                .as_ref()
                .map(|domain| person("somebody", Some(domain)).map(|_| domain.clone()))
                .transpose()?,
        })
    }

    /// Whom a message that is no one person's goes to.
    fn recipients(&self, told: Told) -> &[Mailbox] {
        match told {
            Told::EmergencyOpened(_) | Told::Drill(_) | Told::ReviewLate(_) => &self.privacy,
            Told::RequestWaits(_) | Told::RequestStillWaits(_) => &self.requests,
            // The backup of those who did not answer, and what happens too often, are the privacy office's.
            Told::RequestEscalated(_) | Told::RequestsOften(_) | Told::EmergenciesOften(_) => &self.privacy,
            Told::EmergencyProtected(_) | Told::SentenceNotGiven(_) => &self.privacy,
            Told::MappingDue(_) | Told::MappingLate(_) | Told::NoRole(_) => &self.privacy,
            Told::SentenceOwed(_) | Told::RoleUnused(_) | Told::RoleUnusedInTeam(_) | Told::RoleObjected(_) => &[],
        }
    }

    async fn send(&self, message: &Message) -> Result<Receipt, NotTaken> {
        let own = match &message.to {
            Some(to) => vec![person(to.expose(), self.people.as_deref()).map_err(|_| NotTaken("address_unfit"))?],
            None => Vec::new(),
        };
        let recipients = if own.is_empty() { self.recipients(message.told) } else { &own };
        if recipients.is_empty() {
            return Err(NotTaken("address_unfit"));
        }
        let mut mail = Mail::builder()
            .from(self.from.clone())
            .subject(message.title)
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for to in recipients {
            mail = mail.to(to.clone());
        }
        let mail = mail.body(text(message)).map_err(|_| NotTaken("mail_unfit"))?;
        let answer = self.transport.send(mail).await.map_err(|error| NotTaken(code(&error)))?;
        let status = answer.code();
        let number = |digit: u8| u16::from(digit);
        let status =
            number(status.severity as u8) * 100 + number(status.category as u8) * 10 + number(status.detail as u8);
        Ok(Receipt { recipients: recipients.len(), status })
    }
}

/// The address of a person: as it is told, if it is one; else a login with the domain behind it.
fn person(told: &str, domain: Option<&str>) -> Result<Mailbox, InvalidMail> {
    let address = match domain {
        _ if told.contains('@') => told.to_owned(),
        Some(domain) => format!("{told}@{domain}"),
        None => told.to_owned(),
    };
    address.parse().map_err(|_| InvalidMail::Address(domain.unwrap_or_default().to_owned()))
}

/// Nobody is named: who reads it signs in to see more.
fn text(message: &Message) -> String {
    format!(
        "{}.\r\n\r\n{}\r\n\r\nThe page asks you to sign in. This mail names nobody on purpose; please do not answer it.\r\n",
        message.title, message.link
    )
}

fn code(error: &lettre::transport::smtp::Error) -> &'static str {
    if error.is_permanent() {
        "mail_refused"
    } else if error.is_transient() {
        "mail_deferred"
    } else {
        "mail_unreachable"
    }
}

fn transport(options: &MailOptions) -> Result<AsyncSmtpTransport<Tokio1Executor>, InvalidMail> {
    let (scheme, rest) = options.server.split_once("://").ok_or(InvalidMail::Server)?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| InvalidMail::Server)?)),
        None => (rest, None),
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(InvalidMail::Server);
    }
    let is_here = matches!(host, "localhost" | "127.0.0.1");
    let tls = match scheme {
        "smtps" => Tls::Wrapper(parameters(host, &options.roots)?),
        "smtp" if is_here => Tls::Opportunistic(parameters(host, &options.roots)?),
        "smtp" => Tls::Required(parameters(host, &options.roots)?),
        _ => return Err(InvalidMail::Server),
    };
    let usual = if scheme == "smtps" { 465 } else { 587 };
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.unwrap_or(usual)).tls(tls);
    if let Some((user, password)) = &options.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}

fn parameters(host: &str, roots: &Roots) -> Result<TlsParameters, InvalidMail> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Roots::Pem(pem) = roots {
        let certificates = Certificate::from_pem(pem).map_err(|_| InvalidMail::Roots)?;
        builder = builder.add_root_certificate(certificates);
    }
    builder.build().map_err(|_| InvalidMail::Roots)
}

impl Channel for MailChannel {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn takes(&self, told: Told) -> bool {
        told.is_personal() || !self.recipients(told).is_empty()
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Delivering<'a> {
        Box::pin(self.send(message))
    }
}
