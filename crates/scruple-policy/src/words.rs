//! The names of a pack as Cedar has them: the schema, the entities, the actions, and the requests that are made of them.
//!
//! Roles, categories, segments and purposes are enumerated entity types, so that Cedar's validator knows every name;
//! the purpose and the named conditions are the context, typed by the schema. There is no other data.

use crate::decide::Question;
use crate::model::Pack;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema,
};
use scruple_core::{CategoryId, MaskId, SegmentId, SegmentLimit, View};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr as _;

/// Columns of printed text, about.
const WIDTH: usize = 110;

/// What Cedar is asked about a category or a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Action {
    /// See a category in full.
    Full,
    /// See a category under a mask.
    Masked(MaskId),
    /// Hold a segment: the cell decides.
    Hold,
    /// See codes of a segment.
    Coded,
}

impl Action {
    pub const fn of_view(view: View) -> Option<Self> {
        match view {
            View::None => None,
            View::Masked(mask) => Some(Self::Masked(mask)),
            View::Full => Some(Self::Full),
        }
    }

    pub const fn of_limit(limit: SegmentLimit) -> Option<Self> {
        match limit {
            SegmentLimit::None => None,
            SegmentLimit::Coded => Some(Self::Coded),
            SegmentLimit::Follow => Some(Self::Hold),
        }
    }

    pub fn name(self, pack: &Pack) -> String {
        match self {
            Self::Full => "view_full".to_owned(),
            Self::Masked(_) => format!("view_{}", pack.view_name(self.view())),
            Self::Hold => "hold".to_owned(),
            Self::Coded => "coded".to_owned(),
        }
    }

    /// The view that is seen if it is allowed; none for an action on segments.
    pub const fn view(self) -> View {
        match self {
            Self::Full => View::Full,
            Self::Masked(mask) => View::Masked(mask),
            Self::Hold | Self::Coded => View::None,
        }
    }
}

/// Cedar did not take what was written for it.
#[derive(Debug, thiserror::Error)]
pub enum CedarError {
    /// The schema.
    #[error("cedar refuses the schema: {0}")]
    Schema(String),
    /// A policy.
    #[error("cedar refuses policy `{id}`: {text}")]
    Policy {
        /// Its id.
        id: String,
        /// What Cedar says.
        text: String,
    },
    /// A name.
    #[error("cedar refuses the name `{0}`")]
    Name(String),
}

/// The names of one pack.
#[derive(Debug)]
pub(crate) struct Words {
    pub schema: Schema,
    pub schema_text: String,
    actions_known: Entities,
    roles: BTreeMap<String, EntityUid>,
    purposes: BTreeMap<String, EntityUid>,
    categories: Vec<EntityUid>,
    segments: Vec<EntityUid>,
    conditions: Vec<String>,
    actions: BTreeMap<Action, EntityUid>,
}

impl Words {
    pub fn of(pack: &Pack) -> Result<Self, CedarError> {
        let schema_text = schema_text(pack);
        let (schema, _) =
            Schema::from_cedarschema_str(&schema_text).map_err(|error| CedarError::Schema(error.to_string()))?;
        let actions_known = schema.action_entities().map_err(|error| CedarError::Schema(error.to_string()))?;
        let masks = (0..pack.annotation.masks.len()).filter_map(|index| u8::try_from(index).ok()).map(MaskId);
        let actions = [Action::Full, Action::Hold, Action::Coded].into_iter().chain(masks.map(Action::Masked));
        let each = |kind: &str, names: &mut dyn Iterator<Item = &str>| -> Result<Vec<EntityUid>, CedarError> {
            names.map(|name| entity(kind, name)).collect()
        };
        let by_name =
            |kind: &str, names: &mut dyn Iterator<Item = &str>| -> Result<BTreeMap<String, EntityUid>, CedarError> {
                names.map(|name| Ok((name.to_owned(), entity(kind, name)?))).collect()
            };
        Ok(Self {
            schema,
            schema_text,
            actions_known,
            roles: by_name("Role", &mut pack.roles.keys().map(String::as_str))?,
            purposes: by_name("Purpose", &mut pack.purposes.iter().map(|purpose| purpose.code.as_str()))?,
            categories: each("Category", &mut pack.categories.iter().map(|category| category.name.as_str()))?,
            segments: each("Segment", &mut pack.segments.iter().map(|segment| segment.name.as_str()))?,
            conditions: pack.conditions.iter().map(|condition| condition.name.clone()).collect(),
            actions: actions
                .map(|action| Ok((action, entity("Action", &action.name(pack))?)))
                .collect::<Result<_, CedarError>>()?,
        })
    }

    /// Who asks, and what holds; `None` where the pack has no such role or purpose, so that nothing can be asked.
    pub fn asker(&self, question: &Question) -> Option<Asker> {
        let purpose = self.purposes.get(&question.purpose)?.clone();
        let holds = |index: usize| question.conditions.0 & 1 << (index & 63) != 0;
        let conditions = self
            .conditions
            .iter()
            .enumerate()
            .map(|(index, name)| (name.clone(), RestrictedExpression::new_bool(holds(index))));
        let purpose = ("purpose".to_owned(), RestrictedExpression::new_entity_uid(purpose));
        Some(Asker {
            role: self.roles.get(&question.role)?.clone(),
            context: Context::from_pairs(std::iter::once(purpose).chain(conditions)).ok()?,
        })
    }

    pub fn category(&self, id: CategoryId) -> Option<&EntityUid> {
        self.categories.get(usize::from(id.0))
    }

    pub fn segment(&self, id: SegmentId) -> Option<&EntityUid> {
        self.segments.get(usize::from(id.0))
    }

    /// What Cedar answers: whether it allows, and by which policies.
    // relies on (default-deny): a policy that errs is skipped by Cedar, a `forbid` too, so that any error is a deny.
    pub fn ask(&self, asker: &Asker, action: Action, resource: Option<&EntityUid>, set: &PolicySet) -> Answer {
        let denied = Answer { allowed: false, reason: None };
        let (Some(action), Some(resource)) = (self.actions.get(&action), resource) else { return denied };
        let request = Request::new(asker.role.clone(), action.clone(), resource.clone(), asker.context.clone(), None);
        let Ok(request) = request else { return denied };
        let response = Authorizer::new().is_authorized(&request, set, &self.actions_known);
        if let Some(error) = response.diagnostics().errors().next() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            return Answer { allowed: false, reason: Some(error.policy_id().to_string()) };
        }
        Answer {
            allowed: response.decision() == Decision::Allow,
            reason: response.diagnostics().reason().map(ToString::to_string).min(),
        }
    }
}

/// Who asks, and what holds.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    role: EntityUid,
    context: Context,
}

/// What Cedar answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub allowed: bool,
    /// The policy that decided, or that erred.
    pub reason: Option<String>,
}

fn entity(kind: &str, name: &str) -> Result<EntityUid, CedarError> {
    let kind = EntityTypeName::from_str(kind).map_err(|_| CedarError::Name(kind.to_owned()))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(name)))
}

/// A text as a Cedar string.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// Items in lines of about [`WIDTH`] columns, each line after `indent`.
pub(crate) fn wrapped(items: impl IntoIterator<Item = String>, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.len() + item.len() + 2 <= WIDTH => {
                let _ = write!(line, ", {item}");
            }
            _ => lines.push(format!("{indent}{item}")),
        }
    }
    lines.join(",\n")
}

fn schema_text(pack: &Pack) -> String {
    let mut text = String::new();
    let mut enumerate = |kind: &str, what: &str, names: &mut dyn Iterator<Item = &str>| {
        let names = wrapped(names.map(quoted), "  ");
        let _ = writeln!(text, "// {what}\nentity {kind} enum [\n{names}\n];\n");
    };
    enumerate(
        "Role",
        "Roles, and the profiles of callers outside the workforce.",
        &mut pack.roles.keys().map(String::as_str),
    );
    let categories = &mut pack.categories.iter().map(|category| category.name.as_str());
    enumerate("Category", "Kinds of PHI.", categories);
    let segments = &mut pack.segments.iter().map(|segment| segment.name.as_str());
    enumerate("Segment", "Specially protected segments.", segments);
    let purposes = &mut pack.purposes.iter().map(|purpose| purpose.code.as_str());
    enumerate("Purpose", "Purposes of use, HL7 v3 ActReason.", purposes);
    text.push_str(
        "// The purpose, and the named conditions that hold for this caller, patient and request.\ntype Facts = {\n",
    );
    text.push_str("  purpose: Purpose,\n");
    for condition in &pack.conditions {
        let _ = writeln!(text, "  // {}\n  {}: Bool,", one_line(&condition.label), condition.name);
    }
    text.push_str("};\n\n");
    let facts = |resource: &str| format!("appliesTo {{ principal: Role, resource: {resource}, context: Facts }}");
    text.push_str("// How much of a category is seen. Where two actions are allowed, the wider view holds; where none is, none.\n");
    text.push_str("action view, label;\naction view_masked in [view];\n");
    let _ = writeln!(text, "action view_full in [view] {};", facts("Category"));
    for mask in &pack.annotation.masks {
        let name = quoted(&format!("view_masked:{}", mask.name));
        let _ = writeln!(text, "action {name} in [view_masked] {};", facts("Category"));
    }
    text.push_str("\n// What a segment leaves of a resource that carries its label: hold = the category decides, coded = codes only.\n");
    let _ = writeln!(text, "action hold, coded in [label] {};", facts("Segment"));
    text
}

/// A text that cannot leave its comment.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}
