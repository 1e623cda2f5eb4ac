//! The part of a verification that looks at the emergency reserve in the folder.

use super::Check;
use crate::error::Damage;
use crate::folder::{Folder, RESERVE, RESERVE_LOG};
use crate::keys::log_id;
use crate::note::NoteVerifier;
use crate::report::FindingKind;
use crate::reserve::format::State;
use crate::reserve::look;

impl Check<'_, '_> {
    /// The reserve: its chain, its seals, and how many of its entries the ledger does not have yet.
    pub(super) fn reserve(&mut self, verifier: &NoteVerifier) {
        let name = format!("{RESERVE}/{RESERVE_LOG}");
        if !self.files.contains(&name) {
            return;
        }
        let path = self.folder.path(&name);
        let folder: Folder = self.folder.within(RESERVE);
        // Its lock is its own: it is in use, too, while the ledger is down. A copy that cannot be written has nobody.
        let live = matches!(folder.try_lock(), Ok(None));
        let provider = self.ring.provider().cloned();
        let mut refused = Vec::new();
        let validator = &mut self.validator;
        let looked = look(&folder, log_id(verifier), provider.as_deref(), &mut |origin, payload| {
            if let Some(Err(what)) = validator.as_mut().map(|check| check(origin.seq - 1, &payload)) {
                refused.push((origin.seq - 1, what));
            }
        });
        for (index, what) in refused {
            self.find(FindingKind::Payload, Damage::new(&path, what).entry(index));
        }
        let seen = match looked {
            Ok(seen) => seen,
            Err(_) if live => {
                self.report.notes.push("the reserve is in use, and was not read".to_owned());
                return;
            }
            Err(error) => return self.find_error(&error),
        };
        if seen.torn_header && !live {
            let what = "one of two headers is no header: an interrupted write, or damage";
            self.find(FindingKind::Torn, Damage::new(&path, what).at(0));
        }
        if let Some(torn) = seen.torn.filter(|_| !live) {
            let what = format!("{} bytes behind the last whole frame: an interrupted write, or damage", torn.bytes);
            self.find(FindingKind::Torn, Damage::new(&path, what).at(torn.offset).entry(torn.index));
        }
        let merged = self.origins.last(seen.header.shard).unwrap_or(0);
        self.report.in_reserve = seen.entries.saturating_sub(merged);
        if self.report.in_reserve > 0 {
            let note = format!("{} entries of the reserve are not merged yet", self.report.in_reserve);
            self.report.notes.push(note);
        } else if seen.entries > 0 || matches!(seen.header.state, State::Emptying { .. }) {
            self.report.notes.push("the reserve is merged, and not emptied yet".to_owned());
        }
    }
}
