//! Explain a decision element by element: what of a resource type shows, by which rule, for which tasks, and what is
//! missing for what does not (RB-03).
//!
//! It speaks of policy alone: no record is read, so that its answer says nothing of any patient.

use crate::decide::{Question, Refusal, Rule, admit, explain, table};
use crate::model::{Pack, Role};
use scruple_core::{CategoryId, DecisionTable, View};
use scruple_fhir::{ElementView, MaskFunction, Place, TypeView, classes, describe, dictionary};
use serde::Serialize;

/// Why there is nothing to explain.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExplainError {
    /// The policy refuses the question.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such type.
    #[error("FHIR R4 has no resource type `{0}`")]
    UnknownType(String),
}

/// A resource type under a decision; one for each class of a type with discriminators.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TypeExplanation {
    /// The type.
    pub type_name: String,
    /// The class that the resource's codes choose, by category.
    pub class: Option<String>,
    /// Whether such a resource shows, before any label.
    pub shows: bool,
    /// It passes as it is.
    pub passes: bool,
    /// Why it does not show.
    pub because: Option<String>,
    /// Its elements.
    pub rows: Vec<ElementRow>,
}

/// One element.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ElementRow {
    /// Its path.
    pub path: String,
    /// Its category; `structure` (shows with its parent) or `withheld` (from everyone).
    pub category: String,
    /// `none`, `masked:coded`, `full`.
    pub view: String,
    /// What the mask does to it: `keep`, `into`, `year` ...
    pub function: Option<&'static str>,
    /// The rule that gives or takes the view.
    pub rule: Option<Rule>,
    /// Conditions that a wider view lacks.
    pub missing: Vec<String>,
    /// Why it is none where its category is not.
    pub because: Option<String>,
    /// What another engine says of its category, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cedar: Option<String>,
}

/// Explains a resource type under a question.
///
/// # Errors
/// The policy refuses the question, or there is no such type.
pub fn explain_type(pack: &Pack, question: &Question, type_name: &str) -> Result<Vec<TypeExplanation>, ExplainError> {
    let role = admit(pack, question)?;
    let table = table(pack, question)?;
    let id = dictionary().resource(type_name).ok_or_else(|| ExplainError::UnknownType(type_name.to_owned()))?;
    let mut roots: Vec<Option<CategoryId>> = classes(&pack.annotation, id).into_iter().map(Some).collect();
    if roots.is_empty() {
        roots.push(None);
    }
    let explained = roots.into_iter().map(|class| {
        let view = describe(&pack.annotation, &table, id, class);
        let explainer = Explainer { pack, role, question, table: &table, view: &view };
        TypeExplanation {
            type_name: type_name.to_owned(),
            class: class.map(|class| pack.category_name(class).to_owned()),
            shows: view.shows,
            passes: view.passes,
            because: (!view.shows).then(|| explainer.hidden()),
            rows: view.rows.iter().map(|row| explainer.row(row)).collect(),
        }
    });
    Ok(explained.collect())
}

struct Explainer<'a> {
    pack: &'a Pack,
    role: &'a Role,
    question: &'a Question,
    table: &'a DecisionTable,
    view: &'a TypeView,
}

impl Explainer<'_> {
    fn hidden(&self) -> String {
        match self.view.home {
            Place::Category(home) if !self.table.view(home).shows() => {
                format!("the type's home `{}` is none", self.pack.category_name(home))
            }
            Place::Withheld => "the type is withheld from everyone".to_owned(),
            _ => "a required or modifying element would be withheld".to_owned(),
        }
    }

    fn row(&self, row: &ElementView) -> ElementRow {
        // Of two categories the one that takes more away is the reason.
        let category = match (row.place, row.also) {
            (Place::Category(place), Some(also)) if self.table.view(place).shows() => {
                if self.table.view(also) == View::Full { Some(place) } else { Some(also) }
            }
            (Place::Category(place), _) => Some(place),
            (Place::Class | Place::Structure | Place::Withheld, also) => also,
        };
        let (rule, missing) =
            category.map_or((None, Vec::new()), |category| explain(self.pack, self.role, self.question, category));
        let named = match (row.place, category) {
            (_, Some(category)) => self.pack.category_name(category).to_owned(),
            (Place::Withheld, None) => "withheld".to_owned(),
            (Place::Structure, None) => "structure".to_owned(),
            (Place::Class | Place::Category(_), None) => "class".to_owned(),
        };
        let open = category.is_some_and(|category| self.table.view(category).shows());
        let because = match row.view {
            View::None if row.place == Place::Withheld => Some("withheld from everyone".to_owned()),
            View::None if !self.view.shows => Some(self.hidden()),
            View::None if open && row.function == Some(MaskFunction::Withhold) => {
                Some("the mask does not carry it".to_owned())
            }
            View::None if open => Some(self.taken(category)),
            _ => None,
        };
        ElementRow {
            path: row.path.clone(),
            category: named,
            view: self.pack.view_name(row.view),
            function: row.function.map(function_name),
            rule,
            missing,
            because,
            cedar: None,
        }
    }

    /// Why an element is none although its category is not.
    fn taken(&self, category: Option<CategoryId>) -> String {
        match category.map(|category| self.table.view(category)) {
            Some(view @ View::Masked(_)) => format!("{} does not carry it", self.pack.view_name(view)),
            _ => "what it belongs to is withheld".to_owned(),
        }
    }
}

const fn function_name(function: MaskFunction) -> &'static str {
    match function {
        MaskFunction::Keep => "keep",
        MaskFunction::Into => "into",
        MaskFunction::Withhold => "none",
        MaskFunction::Code => "code",
        MaskFunction::Coding => "coding",
        MaskFunction::Listed(_) => "listed",
        MaskFunction::Year => "year",
        MaskFunction::Age => "age",
        MaskFunction::Zip3 => "zip3",
        MaskFunction::Last4 => "last4",
        MaskFunction::Token => "token",
        MaskFunction::Shape => "shape",
    }
}
