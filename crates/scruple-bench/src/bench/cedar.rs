//! Bare Cedar: the pack's permits as Cedar policies, one `is_authorized` for each category.
//!
//! What somebody would build who has Cedar and no native table: the role's policies are picked by hand (the slice), the
//! view is read from the policies that decided.

use anyhow::{Context as _, Result, anyhow};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, RestrictedExpression,
};
use scruple_core::{CATEGORIES_MAX, View};
use scruple_policy::{Pack, Question};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr as _;

/// The pack in Cedar.
pub struct BareCedar {
    authorizer: Authorizer,
    entities: Entities,
    action: EntityUid,
    roles: BTreeMap<String, EntityUid>,
    categories: Vec<EntityUid>,
    conditions: Vec<String>,
    /// The policies of each role.
    slices: BTreeMap<String, PolicySet>,
    /// All policies in one set.
    whole: PolicySet,
    views: HashMap<PolicyId, View>,
}

impl BareCedar {
    /// Writes the pack's permits as policies.
    ///
    /// # Errors
    /// Cedar refuses one.
    pub fn compile(pack: &Pack) -> Result<Self> {
        let uid = |kind: &str, name: &str| EntityUid::from_str(&format!("{kind}::\"{name}\"")).map_err(Box::new);
        let mut this = Self {
            authorizer: Authorizer::new(),
            entities: Entities::empty(),
            action: uid("Action", "see")?,
            roles: BTreeMap::new(),
            categories: pack.categories.iter().map(|one| uid("Category", &one.name)).collect::<Result<_, _>>()?,
            conditions: pack.conditions.iter().map(|one| one.name.clone()).collect(),
            slices: BTreeMap::new(),
            whole: PolicySet::new(),
            views: HashMap::new(),
        };
        for role in pack.roles.values() {
            this.roles.insert(role.name.clone(), uid("Role", &role.name)?);
            let mut slice = PolicySet::new();
            for permit in &role.permits {
                let id = PolicyId::new(format!("{}:{}", role.file, permit.line));
                let categories: Vec<String> =
                    permit.categories.iter().map(|one| format!("Category::\"{}\"", pack.category_name(*one))).collect();
                let purposes: Vec<String> = permit.purposes.iter().map(|code| format!("\"{code}\"")).collect();
                let mut when = format!(
                    "[{}].contains(resource) && [{}].contains(context.purpose)",
                    categories.join(", "),
                    purposes.join(", ")
                );
                for name in pack.condition_names(permit.when) {
                    when += &format!(" && context.{name}");
                }
                let text = format!(
                    "permit (principal == Role::\"{}\", action == Action::\"see\", resource) when {{ {when} }};",
                    role.name
                );
                let policy = Policy::parse(Some(id.clone()), &text).map_err(|error| anyhow!("{id}: {error}"))?;
                slice.add(policy.clone())?;
                this.whole.add(policy)?;
                this.views.insert(id, permit.view);
            }
            this.slices.insert(role.name.clone(), slice);
        }
        Ok(this)
    }

    /// The number of policies.
    pub fn policies(&self) -> usize {
        self.views.len()
    }

    /// The views of a question, by one `is_authorized` for each category; over the role's policies, or over all.
    ///
    /// # Errors
    /// Cedar refuses the request.
    pub fn views(&self, pack: &Pack, question: &Question, sliced: bool) -> Result<[View; CATEGORIES_MAX]> {
        let role = pack.roles.get(&question.role).context("unknown role")?;
        let policies = if sliced { self.slices.get(&question.role).context("unknown role")? } else { &self.whole };
        let principal = self.roles.get(&question.role).context("unknown role")?;
        let purpose = role.effective_purpose(&question.purpose).to_owned();
        let conditions =
            self.conditions.iter().enumerate().map(|(bit, name)| {
                (name.clone(), RestrictedExpression::new_bool(question.conditions.0 & 1 << bit != 0))
            });
        let purpose = ("purpose".to_owned(), RestrictedExpression::new_string(purpose));
        let context = Context::from_pairs(conditions.chain([purpose]))?;
        let mut views = [View::None; CATEGORIES_MAX];
        for (category, view) in self.categories.iter().zip(&mut views) {
            let request =
                Request::new(principal.clone(), self.action.clone(), category.clone(), context.clone(), None)?;
            let response = self.authorizer.is_authorized(&request, policies, &self.entities);
            if response.decision() == Decision::Allow {
                for id in response.diagnostics().reason() {
                    *view = pack.join(*view, self.views.get(id).copied().unwrap_or(View::None));
                }
            }
        }
        Ok(views)
    }
}
