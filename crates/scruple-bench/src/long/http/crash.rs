//! Power cuts under a gateway, on a disk that forgets any subset of its unsynced sectors: every answer that was handed out
//! has its record when the power is back.
//!
//! The gateway's handler is asked without a socket: what it returns is what a listener would send.

use super::{Got, PATIENTS, Records, is_unrecorded, targets};
use crate::long::Draw;
use crate::long::run::{Fuzz, case_rng};
use crate::node::{NOON, Person, Setting, Words, Workforce, hospital, issuer, people, token, workforce};
use crate::shipped;
use anyhow::Result;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::Rng as _;
use scruple_app::AccessCache;
use scruple_connect::{EMBEDDED_BASE, EmbeddedUpstream};
use scruple_core::{Clock, FixedClock};
use scruple_gateway::{AnswerTiming, Gateway};
use scruple_hospital::upstream::Server;
use scruple_ledger::simulate::{Keep, SimStorage};
use scruple_ledger::{
    OpenOptions, Recorder, RecorderOptions, ReserveOptions, SEGMENT_BYTES_MIN, VerifyOptions, verify,
};
use scruple_policy::Active;
use scruple_release::Upstream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const DIR: &str = "/ledger";
const RESERVE: &str = "/reserve";
const RESERVE_BYTES: u64 = 256 << 10;
/// Operations of the disk within which the power is cut.
const OPERATIONS_MAX: usize = 220;
/// Rounds of requests, and requests that are under way together in each.
const ROUNDS_MAX: usize = 24;
const TOGETHER_MAX: usize = 6;

/// The runner. A case is a line: `cut SEED`.
pub struct HttpCrash {
    runtime: Runtime,
    active: Arc<Active>,
    upstream: Arc<dyn Upstream>,
    access: Arc<AccessCache>,
    clock: Arc<dyn Clock>,
    jwks: String,
    /// Targets and a token for each of the people.
    asks: Vec<(Vec<String>, String)>,
    _dir: tempfile::TempDir,
}

impl HttpCrash {
    /// With the shipped pack and a synthetic hospital.
    ///
    /// # Errors
    /// The pack does not read, or there is no disk for a database.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOON));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let people = people();
        let database = format!("sqlite:{}", dir.path().join("scruple.db").display());
        // The clock stands still, so that what was learnt at the beginning stays fresh.
        let Workforce { cache, .. } = runtime.block_on(workforce(&database, &clock, &people))?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let issuer = issuer(&mut rng)?;
        let asks =
            |person: &Person| Ok((targets(person), token(&issuer, person, NOON, &mut ChaCha20Rng::seed_from_u64(2))?));
        Ok(Self {
            runtime,
            active: shipped::active()?,
            upstream: Arc::new(EmbeddedUpstream::new(
                Server::new(&hospital(PATIENTS), EMBEDDED_BASE),
                Arc::clone(&clock),
            )),
            access: cache,
            clock,
            jwks: issuer.jwks().to_owned(),
            asks: people.iter().map(asks).collect::<Result<_>>()?,
            _dir: dir,
        })
    }

    fn recorder(&self, storage: &SimStorage, seed: u64) -> Result<Recorder, String> {
        let (storage, clock) = (storage.clone(), Arc::clone(&self.clock));
        let options = RecorderOptions {
            ledger: Box::new(move || OpenOptions {
                storage: Arc::new(storage.clone()),
                rng: Box::new(ChaCha20Rng::seed_from_u64(seed)),
                segment_bytes: SEGMENT_BYTES_MIN,
                ..OpenOptions::new("crash.example/ledger", Arc::clone(&clock))
            }),
            reserves: vec![ReserveOptions { dir: PathBuf::from(RESERVE), bytes: RESERVE_BYTES }],
            notices: Box::new(Words(Arc::clone(&self.clock))),
        };
        Recorder::open(Path::new(DIR), options).map_err(|error| format!("does not open: {error}"))
    }

    fn gateway(&self, recorder: Arc<Recorder>) -> Result<Gateway, String> {
        let setting = Setting {
            active: Arc::clone(&self.active),
            upstream: Arc::clone(&self.upstream),
            recorder,
            access: Arc::clone(&self.access),
            jwks: self.jwks.clone(),
            timing: AnswerTiming::Plain,
            now: NOON,
        };
        setting.gateway().map_err(|_| "a gateway cannot be put together".to_owned())
    }

    /// Asks until the power is off, or for as many rounds as there are; what was handed out.
    fn ask(&self, gateway: &Gateway, storage: &SimStorage, recorder: &Recorder, rng: &mut ChaCha20Rng) -> Vec<Got> {
        // Early, so that the cut comes while it is full, or while the reserve is merged.
        let full_at = if Draw(rng).once_in(2) { Draw(rng).below(3) } else { ROUNDS_MAX };
        let room_at = full_at + 1 + Draw(rng).below(ROUNDS_MAX / 2);
        let mut all = Vec::new();
        for round in 0..ROUNDS_MAX {
            if round == full_at {
                storage.set_room(Some(storage.used_bytes()));
                // Tiles need room at once, a segment of the log only when it ends.
                let _ = recorder.main().map(|main| main.integrate_now());
            }
            if round == room_at {
                storage.set_room(None);
                // That it fails when the power is off is no matter: it is tried again behind the cut.
                let _ = recorder.recover();
            }
            let asks: Vec<_> = (0..=Draw(rng).below(TOGETHER_MAX)).map(|_| self.one(gateway, rng)).collect();
            all.extend(self.runtime.block_on(join_all(asks)));
            if storage.is_off() {
                break;
            }
        }
        all
    }

    fn one<'g>(&self, gateway: &'g Gateway, rng: &mut ChaCha20Rng) -> impl Future<Output = Got> + use<'g> {
        let (targets, token) = Draw(rng).pick(&self.asks);
        let request =
            http::Request::get(Draw(rng).pick(targets).as_str()).header("authorization", format!("Bearer {token}"));
        // Targets are ours, and well formed.
        let request = request.body(Full::new(Bytes::new())).unwrap_or_default();
        let mut rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
        async move {
            let (response, request_id) = gateway.handle(request, None, &FixedClock::new(NOON), &mut rng).await;
            Got { status: response.status, request_id, body: response.body.bytes().to_vec() }
        }
    }

    fn cut(&self, seed: u64) -> Result<(usize, Records), String> {
        let mut rng = case_rng(seed, 1);
        let storage = SimStorage::new();
        storage.cut_after(1 + Draw(&mut rng).below(OPERATIONS_MAX) as u64);
        let mut got = Vec::new();
        match self.recorder(&storage, rng.next_u64()).map(Arc::new) {
            Ok(recorder) => {
                let gateway = self.gateway(Arc::clone(&recorder))?;
                got = self.ask(&gateway, &storage, &recorder, &mut rng);
            }
            Err(_) if storage.is_off() => {}
            Err(what) => return Err(what),
        }
        let keep = *Draw(&mut rng).pick(&[Keep::None, Keep::All, Keep::Some, Keep::Some]);
        let storage = storage.after_power_cut(keep, &mut rng);
        let recorder = self.recorder(&storage, rng.next_u64()).map_err(|what| format!("after the cut: {what}"))?;
        if let Some(problem) = recorder.problems().first() {
            return Err(format!("after the cut: {problem}"));
        }
        let main = recorder.main().ok_or("there is no ledger after the cut")?;
        main.integrate_now().map_err(|_| "does not integrate after the cut")?;
        drop((main, recorder));
        let disk = Arc::new(storage);
        let options = VerifyOptions { storage: Arc::<SimStorage>::clone(&disk), ..VerifyOptions::default() };
        match verify(Path::new(DIR), options) {
            Ok(report) if report.is_good() => {}
            Ok(report) => return Err(format!("does not verify after the cut: {report}")),
            Err(_) => return Err("cannot be verified after the cut".to_owned()),
        }
        let records = Records::read(Path::new(DIR), disk, 0)?;
        got.iter().try_for_each(|one| records.cover(one))?;
        Ok((got.iter().filter(|got| !is_unrecorded(got)).count(), records))
    }
}

impl Fuzz for HttpCrash {
    fn name(&self) -> &'static str {
        "http-crash"
    }

    fn case_time_max(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        format!("cut {}\n", rng.next_u64()).into_bytes()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let line = String::from_utf8_lossy(case);
        match line.trim().split_once(' ').map(|(kind, seed)| (kind, seed.parse::<u64>())) {
            Some(("cut", Ok(seed))) => self.cut(seed).map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HttpCrash;

    #[test]
    fn cuts_come_between_answers_and_some_of_them_while_the_disk_is_full() {
        // Otherwise the cases would show little.
        let crash = HttpCrash::new().unwrap();
        let (mut handed_out, mut merged) = (0, 0);
        for seed in 0..12 {
            let (count, records) = crash.cut(seed).unwrap();
            assert!(records.requests() >= count);
            (handed_out, merged) = (handed_out + count, merged + records.notices("merged"));
            if handed_out > 50 && merged > 0 {
                return;
            }
        }
        panic!("{handed_out} answers, {merged} merges");
    }
}
