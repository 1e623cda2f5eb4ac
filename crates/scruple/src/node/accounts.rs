//! What goes on with accounts: their use is written down, and those that nobody uses are noticed.

use super::tasks::pause;
use scruple_app::directory::{Directory, UnusedLook};
use scruple_app::{AccessCache, program_person};
use scruple_core::Clock;
use scruple_flow::IdleRules;
use scruple_gateway::Gateway;
use scruple_seal::SystemRng;
use scruple_store::{ShardLease, Store, list_unused};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is written down who has used his account.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Every so many times it is looked for accounts that nobody uses.
const LOOK_EVERY: u32 = 720;

/// What the task needs.
pub struct Accounts {
    pub store: Store,
    pub lease: ShardLease,
    pub clock: Arc<dyn Clock>,
    pub access: Arc<AccessCache>,
    pub gateway: Arc<Gateway>,
    pub rules: IdleRules,
}

impl Accounts {
    /// Works until the end; at the start it looks at once.
    pub async fn keep(self, mut stop: watch::Receiver<bool>) {
        let mut times = 0_u32;
        loop {
            if times.is_multiple_of(LOOK_EVERY) {
                self.look().await;
            }
            times = times.wrapping_add(1);
            let is_over = pause(WRITE_EVERY, &mut stop).await;
            if let Err(error) = self.write().await {
                tracing::warn!(error = %error, "it was not written down who has used his account");
            }
            if is_over {
                return;
            }
        }
    }

    async fn write(&self) -> Result<(), scruple_app::directory::DirectoryError> {
        if self.access.write_uses().await? > 0 {
            let mut rng = SystemRng;
            self.directory(&mut rng).settle_used().await?;
        }
        Ok(())
    }

    async fn look(&self) {
        let mut rng = SystemRng;
        match self.directory(&mut rng).look_for_idle(&self.rules).await {
            Ok(look) if look.noticed > 0 => {
                tracing::info!(noticed = look.noticed, "accounts that nobody uses are noticed");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "it was not looked for accounts that nobody uses"),
        }
        if let Err(error) = self.directory(&mut rng).tell_of_no_role().await {
            tracing::warn!(error = %error, "it was not looked for people who hold no role");
        }
        match self.look_for_unused(&mut rng).await {
            Ok(look) if look != UnusedLook::default() => {
                tracing::info!(noticed = look.noticed, taken = look.taken, "roles that are held and not used");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "it was not looked for roles that nobody uses"),
        }
    }

    async fn look_for_unused(&self, rng: &mut SystemRng) -> anyhow::Result<UnusedLook> {
        let pack = Arc::clone(self.gateway.pipeline().policy().pack());
        let open = list_unused(&mut self.store.begin_read().await?, None, None).await?;
        let clock = self.clock.as_ref();
        if open.is_empty() {
            return Ok(self.directory(rng).look_for_unused(&pack).await?);
        }
        // What is taken is taken by somebody: the rules have a name here.
        let by = program_person(&self.store, &self.lease, clock, rng, "account-rules", "Account rules").await?;
        let mut directory = Directory { store: &self.store, lease: &self.lease, clock, rng, by };
        Ok(directory.look_for_unused(&pack).await?)
    }

    fn directory<'a>(&'a self, rng: &'a mut SystemRng) -> Directory<'a> {
        Directory::of_the_clock(&self.store, &self.lease, self.clock.as_ref(), rng)
    }
}
