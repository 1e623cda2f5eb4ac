//! What goes on without anybody asking: messages are sent, and requests that nobody decided are written down as over.

use super::tasks::pause;
use super::{roots, secret};
use crate::config::MessagesConfig;
use anyhow::{Context as _, Result, bail};
use scruple_app::message::{Channel, Messenger};
use scruple_app::{AccessCache, Desk};
use scruple_connect::{MailChannel, MailOptions, Web, WebhookChannel};
use scruple_policy::Pack;
use scruple_release::Pipeline;
use scruple_seal::SystemRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked for what is due.
const WORK_EVERY: Duration = Duration::from_secs(1);
/// Every so many looks it is looked for requests that are over.
const EXPIRE_EVERY: u32 = 30;

/// The ways to people of a configuration.
pub fn channels(config: &MessagesConfig) -> Result<Vec<Arc<dyn Channel>>> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (privacy, requests) = (words(&config.privacy), words(&config.requests));
    match &config.smtp {
        Some(server) => {
            let Some(from) = config.from.clone() else {
                bail!("`messages.from` is missing: whom mails are from");
            };
            let password = config.smtp_password_file.as_deref();
            let password = password.map(|path| secret(path, "messages.smtp_password_file")).transpose()?;
            let login = config.smtp_user.clone().zip(password);
            let roots = roots(config.ca_file.as_deref())?;
            let people = config.people_domain.clone();
            let options = MailOptions { server: server.clone(), login, roots, from, privacy, requests, people };
            channels.push(Arc::new(MailChannel::new(&options).context("`[messages]`")?));
        }
        None if !privacy.is_empty() || !requests.is_empty() => {
            bail!(
                "`messages.smtp` is missing: the server that takes the mails to `messages.privacy` and `messages.requests`"
            )
        }
        None => {}
    }
    if let Some(url) = &config.webhook_url {
        let Some(file) = &config.webhook_secret_file else {
            bail!("`messages.webhook_secret_file` is missing: a webhook is signed");
        };
        let web = Web::new(roots(config.ca_file.as_deref())?);
        let secret = secret(file, "messages.webhook_secret_file")?;
        channels.push(Arc::new(WebhookChannel::new(web, url.clone(), &secret)));
    }
    Ok(channels)
}

/// Works until the end.
pub async fn work(
    mut messenger: Messenger,
    (pipeline, access): (Arc<Pipeline>, Arc<AccessCache>),
    mut stop: watch::Receiver<bool>,
) {
    let mut looks = 0_u32;
    while !pause(WORK_EVERY, &mut stop).await {
        if let Err(error) = messenger.run_once().await {
            tracing::warn!(error = %error, "messages wait");
        }
        see(&mut messenger, &pipeline, &access).await;
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(EXPIRE_EVERY) {
            expire(&mut messenger, &pipeline).await;
        }
    }
}

/// Writes down under which tasks something was read: else they end idle.
async fn see(messenger: &mut Messenger, pipeline: &Pipeline, access: &AccessCache) {
    for task in access.take_seen() {
        let policy = pipeline.policy();
        let seen = desk(messenger, &mut SystemRng, policy.pack()).see_task(task).await;
        if let Err(error) = seen {
            tracing::warn!(error = %error, "a read under a task is not written down; it ends idle the sooner");
        }
    }
}

async fn expire(messenger: &mut Messenger, pipeline: &Pipeline) {
    let policy = pipeline.policy();
    let mut rng = SystemRng;
    let mut desk = desk(messenger, &mut rng, policy.pack());
    if let Err(error) = desk.compare_uses().await {
        tracing::warn!(error = %error, "what was used is not compared yet with what was asked for");
    }
    if let Err(error) = desk.expire_requests().await {
        tracing::warn!(error = %error, "requests that are over are not written down yet; they are over all the same");
    }
    if let Err(error) = desk.settle_tasks().await {
        tracing::warn!(error = %error, "tasks that are over are not written down yet; they are over all the same");
    }
}

fn desk<'a>(messenger: &'a Messenger, rng: &'a mut SystemRng, pack: &'a Pack) -> Desk<'a> {
    let Messenger { store, lease, clock, .. } = messenger;
    Desk { store, lease, clock: clock.as_ref(), rng, rules: pack }
}
