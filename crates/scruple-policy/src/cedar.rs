//! A pack compiled to Cedar: what can be printed, read and analysed elsewhere, and the oracle of the native tables.
//!
//! Each `[[permit]]` is one Cedar permit, with where it stands as its `@id` and the tasks that it cites as `@task`. It
//! uses no experimental feature of Cedar, and takes no decision: that is the native table's, once both are proved equal.

use crate::decide::Question;
use crate::model::{Pack, Permit, Role};
use crate::sign_in::{EMERGENCIES, UNCONFIRMED_OUTSIDE};
pub(crate) use crate::words::Action;
pub use crate::words::CedarError;
use crate::words::{Asker, Words, quoted, wrapped};
use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use scruple_core::{CategoryId, SegmentId, SegmentLimit, View};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The id of the rule that break-glass needs an elevation.
const BREAK_GLASS: &str = "engine:break-glass";
/// The id of the rule that closes segments outside.
const OUTSIDE: &str = "engine:outside";

/// A pack in Cedar.
#[derive(Debug)]
pub struct Cedar {
    pack: Arc<Pack>,
    words: Words,
    policies: Vec<CedarPolicy>,
    roles: BTreeMap<String, Vec<Slice>>,
}

/// One policy as it is printed.
#[derive(Clone, Debug)]
pub struct CedarPolicy {
    /// Where it stands in the pack.
    pub id: String,
    /// The role that it is for; `None` holds for every role.
    pub role: Option<String>,
    /// Its text.
    pub text: String,
}

/// The policies of one role for one action: no other policy's scope fits, so that no other can decide.
#[derive(Debug)]
pub(crate) struct Slice {
    pub action: Action,
    /// The categories or segments that a policy of the slice names, as bits: all others are denied without asking.
    named: u64,
    set: PolicySet,
}

impl Cedar {
    /// Compiles a pack.
    ///
    /// # Errors
    /// Cedar refuses the schema or a policy, which would be a fault of this compiler.
    pub fn compile(pack: Arc<Pack>) -> Result<Self, CedarError> {
        let mut cedar = Self { words: Words::of(&pack)?, policies: Vec::new(), roles: BTreeMap::new(), pack };
        let pack = Arc::clone(&cedar.pack);
        let break_glass =
            break_glass(&pack).map(|text| cedar.policy(BREAK_GLASS.to_owned(), None, text)).transpose()?;
        let outside = outside(&pack).map(|text| cedar.policy(OUTSIDE.to_owned(), None, text)).transpose()?;
        for role in pack.roles.values() {
            let guarded = break_glass.as_ref().filter(|_| role.purposes().contains(&"BTG"));
            let mut slices: Vec<Slice> = Vec::new();
            let mut add = |action: Action, named: u64, policy: Policy| -> Result<(), CedarError> {
                let failed = |error: cedar_policy::PolicySetError| CedarError::Policy {
                    id: policy.id().to_string(),
                    text: error.to_string(),
                };
                if !slices.iter().any(|slice| slice.action == action) {
                    let of_segments = outside.as_ref().filter(|_| matches!(action, Action::Hold | Action::Coded));
                    let always = guarded.into_iter().chain(of_segments).cloned();
                    let set = PolicySet::from_policies(always).map_err(failed)?;
                    slices.push(Slice { action, named: 0, set });
                }
                let Some(slice) = slices.iter_mut().find(|slice| slice.action == action) else { return Ok(()) };
                slice.named |= named;
                slice.set.add(policy.clone()).map_err(failed)
            };
            for permit in &role.permits {
                let Some(action) = Action::of_view(permit.view) else { continue };
                let id = format!("{}:{}", role.file, permit.line);
                let text = permit_text(&pack, role, permit, &id, action);
                let named = permit.categories.iter().fold(0, |bits, category| bits | 1 << (category.0 & 63));
                add(action, named, cedar.policy(id, Some(role), text)?)?;
            }
            for (word, segments) in words_of(role) {
                let Some(action) = Action::of_limit(word.limit) else { continue };
                let id = format!("{}#{}", role.segments_at, word.word);
                let text = segments_text(&pack, role, word, &segments, &id, action);
                let named = segments.iter().fold(0, |bits, segment| bits | 1 << (segment.0 & 63));
                add(action, named, cedar.policy(id, Some(role), text)?)?;
            }
            cedar.roles.insert(role.name.clone(), slices);
        }
        Ok(cedar)
    }

    fn policy(&mut self, id: String, role: Option<&Role>, text: String) -> Result<Policy, CedarError> {
        let policy = Policy::parse(Some(PolicyId::new(&id)), &text)
            .map_err(|error| CedarError::Policy { id: id.clone(), text: error.to_string() })?;
        self.policies.push(CedarPolicy { id, role: role.map(|role| role.name.clone()), text });
        Ok(policy)
    }

    /// The schema, as it is printed.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.words.schema_text
    }

    /// The policies, guardrails left out, in the order of roles and of their files.
    #[must_use]
    pub fn policies(&self) -> &[CedarPolicy] {
        &self.policies
    }

    /// The policies as one Cedar text: of one role, or of all; the rules that hold for every role always.
    #[must_use]
    pub fn text(&self, role: Option<&str>) -> String {
        let mut text = String::new();
        let wanted = |policy: &&CedarPolicy| role.is_none() || policy.role.is_none() || policy.role.as_deref() == role;
        let own = self.policies.iter().filter(wanted).map(|policy| (policy.id.as_str(), policy.text.as_str()));
        let guardrails = self.pack.guardrails.texts().iter().map(|(place, text)| (place.as_str(), text.as_str()));
        for (place, policy) in own {
            let _ = place;
            text.push_str(policy);
            text.push_str("\n\n");
        }
        for (place, policy) in guardrails {
            text.push_str(&format!("// {place}\n{policy}\n\n"));
        }
        text
    }

    /// What Cedar's validator says of the policies under the schema: nothing, or a fault of this compiler.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut said = Vec::new();
        let validator = Validator::new(self.words.schema.clone());
        for slice in self.roles.values().flatten() {
            let result = validator.validate(&slice.set, ValidationMode::Strict);
            said.extend(result.validation_errors().map(ToString::to_string));
            said.extend(result.validation_warnings().map(ToString::to_string));
        }
        said
    }

    /// The view of a category, by Cedar alone, guardrails included.
    #[must_use]
    pub fn ask(&self, question: &Question, category: CategoryId) -> View {
        let Some(asker) = self.words.asker(question) else { return View::None };
        let guard = self.pack.guardrails.asked(question);
        let allowed = |slice: &&Slice| {
            slice.names(category.0)
                && self.allows(slice, &asker, category)
                && guard.as_ref().is_none_or(|guard| guard.forbidding(slice.action, category).is_none())
        };
        let allowed = self.slices(&question.role).iter().filter(allowed);
        allowed.fold(View::None, |view, slice| self.pack.join(view, slice.action.view()))
    }

    /// The limit of a segment, by Cedar alone, guardrails included.
    #[must_use]
    pub fn ask_segment(&self, question: &Question, segment: SegmentId) -> SegmentLimit {
        let Some(asker) = self.words.asker(question) else { return SegmentLimit::None };
        let guard = self.pack.guardrails.asked(question);
        self.limit(&question.role, &asker, segment, |action| {
            guard.as_ref().is_none_or(|guard| !guard.forbids_segment(action, segment))
        })
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    fn slices(&self, role: &str) -> &[Slice] {
        self.roles.get(role).map_or(&[], Vec::as_slice)
    }

    fn allows(&self, slice: &Slice, asker: &Asker, category: CategoryId) -> bool {
        self.words.ask(asker, slice.action, self.words.category(category), &slice.set).allowed
    }

    /// The view of a category by the permits alone.
    pub(crate) fn view(&self, role: &str, asker: &Asker, category: CategoryId) -> View {
        let named = self.slices(role).iter().filter(|slice| slice.action.view().shows() && slice.names(category.0));
        let allowed = named.filter(|slice| self.allows(slice, asker, category));
        allowed.fold(View::None, |view, slice| self.pack.join(view, slice.action.view()))
    }

    /// The limit of a segment by the words alone, as far as `keep` keeps it.
    pub(crate) fn limit(
        &self,
        role: &str,
        asker: &Asker,
        segment: SegmentId,
        keep: impl Fn(Action) -> bool,
    ) -> SegmentLimit {
        let limits = [(Action::Hold, SegmentLimit::Follow), (Action::Coded, SegmentLimit::Coded)];
        let held = limits.into_iter().find(|(action, _)| {
            let slice = self.slices(role).iter().find(|slice| slice.action == *action && slice.names(segment.0));
            slice.is_some_and(|slice| {
                self.words.ask(asker, *action, self.words.segment(segment), &slice.set).allowed && keep(*action)
            })
        });
        held.map_or(SegmentLimit::None, |(_, limit)| limit)
    }
}

impl Slice {
    const fn names(&self, bit: u8) -> bool {
        self.named & 1 << (bit & 63) != 0
    }
}

/// The words of a role's segments, each with its segments, in the pack's order.
fn words_of(role: &Role) -> Vec<(&crate::model::SegmentWord, Vec<SegmentId>)> {
    let mut words: Vec<(&crate::model::SegmentWord, Vec<SegmentId>)> = Vec::new();
    for (index, word) in role.segments.iter().enumerate() {
        let segment = SegmentId(u8::try_from(index).unwrap_or(u8::MAX));
        match words.iter_mut().find(|(known, _)| known.word == word.word) {
            Some((_, segments)) => segments.push(segment),
            None => words.push((word, vec![segment])),
        }
    }
    words
}

fn break_glass(pack: &Pack) -> Option<String> {
    if !pack.purposes.iter().any(|purpose| purpose.code == "BTG") {
        return None;
    }
    let unless = if pack.condition("emergency_elevation").is_some() { " && !context.emergency_elevation" } else { "" };
    Some(format!(
        "@id({})\n@task(\"break-glass is a purpose for those alone for whom it is active\")\n\
         forbid (principal, action, resource)\nwhen {{ context.purpose == Purpose::\"BTG\"{unless} }};",
        quoted(BREAK_GLASS)
    ))
}

/// What is closed to who is outside and has not confirmed of late.
fn outside(pack: &Pack) -> Option<String> {
    let closed: Vec<String> = pack
        .sign_in
        .confirmed_outside
        .segments()
        .filter_map(|id| {
            let segment = pack.segments.get(usize::from(id.0))?;
            Some(format!("Segment::{}", quoted(&segment.name)))
        })
        .collect();
    if closed.is_empty() {
        return None;
    }
    let mut unless = Vec::new();
    if pack.sign_in.emergency_opens {
        let known = EMERGENCIES.iter().filter(|code| pack.purposes.iter().any(|purpose| purpose.code == **code));
        unless.push(one_of("context.purpose", known.map(|code| format!("Purpose::{}", quoted(code))).collect()));
    }
    let profiles = pack.roles.values().filter(|role| role.is_profile);
    unless.push(one_of("principal", profiles.map(|role| format!("Role::{}", quoted(&role.name))).collect()));
    let unless: String = unless.iter().map(|one| format!(" &&\n  !({one})")).collect();
    Some(format!(
        "@id({})\n@task(\"from outside, what is specially protected opens to who has just confirmed that it is he\")\n\
         forbid (\n  principal,\n  action in [Action::\"coded\", Action::\"hold\"],\n  resource\n)\n\
         when {{\n  context.{UNCONFIRMED_OUTSIDE} &&\n  resource in [\n{}\n  ]{unless}\n}};",
        quoted(OUTSIDE),
        wrapped(closed.into_iter(), "    "),
    ))
}

fn permit_text(pack: &Pack, role: &Role, permit: &Permit, id: &str, action: Action) -> String {
    let categories = permit.categories.iter().map(|category| pack.category_name(*category));
    let resources: Vec<String> = categories.map(|name| format!("Category::{}", quoted(name))).collect();
    let applies = |purpose: &&str| permit.purposes.iter().any(|own| own == role.effective_purpose(purpose));
    let purposes = role.purposes().into_iter().filter(applies);
    let mut facts =
        vec![one_of("context.purpose", purposes.map(|code| format!("Purpose::{}", quoted(code))).collect())];
    facts.extend(pack.condition_names(permit.when).into_iter().map(|name| format!("context.{name}")));
    let tasks = permit.tasks.iter().map(|task| {
        let known = role.tasks.iter().find(|known| known.name == *task);
        known.map_or_else(|| task.clone(), |known| format!("{task}: {}", known.label))
    });
    let tasks = tasks.collect::<Vec<_>>().join("; ");
    policy_text(pack, role, (id, &tasks), action, &resources, &facts)
}

fn segments_text(
    pack: &Pack,
    role: &Role,
    word: &crate::model::SegmentWord,
    segments: &[SegmentId],
    id: &str,
    action: Action,
) -> String {
    let name = |segment: &SegmentId| pack.segments.get(usize::from(segment.0)).map_or("?", |segment| &segment.name);
    let resources: Vec<String> = segments.iter().map(|segment| format!("Segment::{}", quoted(name(segment)))).collect();
    let conditions = word
        .condition
        .into_iter()
        .flat_map(|condition| pack.condition_names(scruple_core::ConditionMask::NONE.with(condition)));
    let facts: Vec<String> = conditions.map(|name| format!("context.{name}")).collect();
    policy_text(pack, role, (id, &word.obligation), action, &resources, &facts)
}

fn policy_text(
    pack: &Pack,
    role: &Role,
    (id, task): (&str, &str),
    action: Action,
    resources: &[String],
    facts: &[String],
) -> String {
    let (scope, among) = match resources {
        [only] => (format!("resource == {only}"), None),
        several => {
            let list = wrapped(several.iter().cloned(), "    ");
            ("resource".to_owned(), Some(format!("resource in [\n{list}\n  ]")))
        }
    };
    let facts: Vec<String> = among.into_iter().chain(facts.iter().cloned()).collect();
    let task = if task.is_empty() { String::new() } else { format!("@task({})\n", quoted(task)) };
    let when = if facts.is_empty() { String::new() } else { format!("\nwhen {{\n  {}\n}}", facts.join(" &&\n  ")) };
    format!(
        "@id({})\n{task}permit (\n  principal == Role::{},\n  action == Action::{},\n  {scope}\n){when};",
        quoted(id),
        quoted(&role.name),
        quoted(&action.name(pack)),
    )
}

fn one_of(what: &str, values: Vec<String>) -> String {
    match values.as_slice() {
        [only] => format!("{what} == {only}"),
        several => format!("{what} in [{}]", several.join(", ")),
    }
}
