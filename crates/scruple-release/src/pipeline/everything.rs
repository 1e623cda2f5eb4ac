//! `Patient/[id]/$everything` (docs/search.md, 6): the patient, and what the caller sees in the compartment.

use super::collection::Collection;
use super::search::in_compartment;
use super::sight::{Candidate, Sight, Target, Visible, too_costly};
use super::{Answer, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::outcome::No;
use crate::upstream::UpstreamError;
use scruple_core::limits::EVERYTHING_MAX;
use scruple_fhir::search::{Reads, encode, is_json};
use scruple_fhir::{TypeId, about, bundle, dictionary};
use std::collections::{BTreeMap, BTreeSet};

impl Pipeline {
    /// Answers `GET /Patient/[id]/$everything`.
    pub async fn everything(
        &self,
        request: Request<'_>,
        id: &str,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Answer {
        let answered = self.try_everything(&request, id, pairs, rng).await;
        self.ended(request, answered).await
    }

    async fn try_everything(
        &self,
        request: &Request<'_>,
        id: &str,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let (types, echo) = parameters(pairs)?;
        let Some(of_patient) = dictionary().resource("Patient") else { return Err(No::not_found().into()) };
        let mut sight = Sight::new(self, request.asked, request.now)?;
        sight.permits_type(of_patient)?;
        let Some(patient) = self.the_patient(&mut sight, of_patient, id).await? else {
            return self.nothing(request, &sight, rng).await;
        };
        let mut matches: Vec<(Target, Visible)> = Vec::new();
        let is_asked = |of: TypeId| types.as_ref().is_none_or(|types| types.contains(&of));
        if is_asked(of_patient) {
            matches.push((("Patient".to_owned(), id.to_owned()), patient));
        }
        let mut named: Vec<(&'static str, TypeId)> =
            dictionary().resources().iter().map(|of| (dictionary().get(*of).name, *of)).collect();
        named.sort_unstable();
        for (kind, of) in named {
            if of == of_patient || !is_asked(of) || !sight.may_show(of) || Reads::compartment(of).is_none() {
                continue;
            }
            let criterion = in_compartment(of, id)?;
            // What puts it there must show, as for any search.
            if sight.decisions(of).any(|decided| decided.permits(of, criterion.reads(), false).is_err()) {
                continue;
            }
            let mut found: BTreeMap<Target, Visible> = BTreeMap::new();
            let before = matches.len();
            sight
                .search(of, &[criterion], false, &mut |candidate, visible| {
                    found.insert((kind.to_owned(), candidate.id.to_owned()), visible);
                    if before + found.len() > EVERYTHING_MAX { Err(too_costly().into()) } else { Ok(()) }
                })
                .await?;
            matches.extend(found);
        }
        let annotation = std::sync::Arc::clone(&self.policy().pack().annotation);
        let mut shared: BTreeSet<Target> = BTreeSet::new();
        for (_, visible) in &matches {
            let all = about::literals(&visible.bytes).into_iter();
            shared.extend(all.filter(|(kind, _)| {
                dictionary().resource(kind).is_some_and(|of| !about::is_bound(&annotation, of) && is_asked(of))
            }));
        }
        shared.retain(|target| !matches.iter().any(|(found, _)| found == target));
        let included: BTreeMap<Target, Visible> = sight.named(&shared).await?.into_iter().collect();
        let query = encode(&echo).to_string();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let own = format!("{}/Patient/{id}/$everything{query}", self.base);
        let mut set = Collection::new(&self.base, "searchset", Some(matches.len() as u64), &[("self", own)]);
        for ((kind, id), visible) in matches {
            set.add_found(&kind, &id, visible, "match");
        }
        for ((kind, id), visible) in included {
            set.add_found(&kind, &id, visible, "include");
        }
        let counts = std::mem::take(&mut sight.counts);
        let outgoing = Outgoing { shares: std::mem::take(&mut sight.shares), ..set.finish(counts) };
        Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?))
    }

    async fn the_patient(&self, sight: &mut Sight<'_>, kind: TypeId, id: &str) -> Result<Option<Visible>, Stop> {
        let fetched = match self.upstream.read("Patient", id).await {
            Ok(Some(fetched)) => fetched,
            Ok(None) | Err(UpstreamError::Credential(403) | UpstreamError::TooLarge { .. }) => {
                sight.look_for_nobody(kind, id).await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        sight.shares.push(fetched.share);
        let plain = bundle::plain(&fetched.bytes);
        if bundle::identity(&plain) != Some((kind, id)) {
            return Ok(None);
        }
        Ok(sight.visible(&[Candidate { kind, id, bytes: &plain }]).await?.pop().flatten())
    }
}

/// The types that are asked for, and what `self` echoes.
type Asked = (Option<BTreeSet<TypeId>>, Vec<(String, String)>);

fn parameters(pairs: &[(String, String)]) -> Result<Asked, Stop> {
    let mut types = None;
    let mut echo = Vec::new();
    for (name, value) in pairs {
        match name.as_str() {
            "_format" if is_json(value) => {}
            "_format" => return Err(No::new(406, "format_not_supported", "Only FHIR JSON is served.").into()),
            "_type" if types.is_none() => {
                let known: Option<BTreeSet<TypeId>> =
                    value.split(',').map(|name| dictionary().resource(name)).collect();
                let words = "Parameter `_type` names what is no resource type of FHIR R4.";
                types = Some(known.ok_or_else(|| No::new(400, "query_malformed", words))?);
                echo.push((name.clone(), value.clone()));
            }
            _ => {
                let words = "`$everything` takes `_type`, once, and `_format`.";
                return Err(No::new(400, "parameter_not_supported", words).into());
            }
        }
    }
    Ok((types, echo))
}
