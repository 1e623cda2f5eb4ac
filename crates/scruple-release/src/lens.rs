//! One resource as one role gets it: for a page that shows it beside the whole.
//!
//! A view is a release like any other: decided, projected and recorded, and only then bytes. What the resource refers to is
//! judged within its own record. It knows no page and no FHIR server.

use crate::chunk::{Item, project};
use crate::release::{Asked, ReleaseError, ReleaseStream, Released};
use crate::targets::{Around, Targets};
use rand_core::Rng;
use scruple_core::Clock;
use scruple_fhir::{Projection, Projector};
use scruple_ledger::Ledger;
use scruple_policy::Decider;
use scruple_seal::TokenKey;
use std::sync::Arc;

/// What a view needs beside the record.
#[derive(Clone, Copy)]
pub struct LookOptions<'a> {
    /// Decides.
    pub decider: &'a Decider,
    /// Records.
    pub ledger: &'a Ledger,
    /// The present.
    pub clock: &'a dyn Clock,
    /// For pseudonyms.
    pub token: &'a TokenKey,
}

/// A view that is recorded.
pub struct Looked {
    /// Id of the release.
    pub release: String,
    /// Names of the conditions that were taken as true.
    pub conditions: Vec<String>,
    /// It passes as it is.
    pub passes: bool,
    /// The resource as it may be shown, or the stable code of why it is not.
    pub outcome: Result<Released, String>,
}

/// Shows `resource` as the question's role gets it. `record` is all that belongs to it: references show only where their
/// target in it does.
///
/// # Errors
/// The policy refuses, or the view cannot be recorded; then nothing is shown.
pub fn look(
    options: &LookOptions<'_>,
    rng: &mut dyn Rng,
    asked: &Asked,
    record: &[&[u8]],
    resource: &[u8],
) -> Result<Looked, ReleaseError> {
    let mut stream = ReleaseStream::open(options.decider, options.ledger, options.clock, rng, asked)?;
    let annotation = Arc::clone(&options.decider.pack().annotation);
    let projection = Projection::new(annotation, stream.table().as_ref().clone());
    let today = options.clock.now().civil_date();
    let targets = targets(&projection, &Around { targets: None, token: options.token, today }, record);
    let around = Around { targets: Some(&targets), token: options.token, today };
    let mut projector = Projector::new(&projection, &around);
    let item = Item { input: 1, item: 1, bytes: Ok(resource.to_vec()), is_entry: false };
    let (chunks, summary) = project(&mut projector, &[item], b'\n', true);
    for chunk in chunks {
        stream.chunk(chunk)?;
    }
    let (release, conditions) = (stream.id().to_owned(), stream.decision().conditions.clone());
    let released = stream.close(&summary.counts())?;
    let withheld = summary.withheld.keys().next().map_or_else(|| "policy".to_owned(), ToString::to_string);
    Ok(Looked { release, conditions, passes: summary.passed > 0, outcome: released.ok_or(withheld) })
}

/// What of the record shows, where a reference can depend on it.
fn targets(projection: &Projection, around: &Around<'_>, record: &[&[u8]]) -> Targets {
    let mut targets = Targets::default();
    if !projection.asks() {
        return targets;
    }
    let mut projector = Projector::new(projection, around);
    let mut scratch = Vec::new();
    for bytes in record {
        scratch.clear();
        if let Ok(shown) = projector.project(bytes, &mut scratch)
            && let Some(id) = &shown.id
        {
            targets.add(shown.resource_type, id);
        }
    }
    targets
}
