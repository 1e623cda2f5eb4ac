//! The query of the Lens, by a closed grammar: a link (`record`, `item`, `role`, `purpose`, `role2`, `purpose2`), or what the
//! form sends (`record`, `item`, `as`, `and`, `from`), which is turned into a link.

use crate::lens::{Catalogue, LensError, RoleChoice};
use crate::pages::error::ErrorPage;
use crate::pages::escaped;
use std::collections::BTreeMap;

/// A role and a purpose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewAs {
    pub role: String,
    pub purpose: String,
}

/// A view that can be linked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    pub record: usize,
    pub item: usize,
    pub view: ViewAs,
    pub beside: Option<ViewAs>,
}

/// What came.
#[derive(PartialEq, Eq, Debug)]
pub enum Asked {
    /// A link.
    Link(Ask),
    /// What the form sent.
    Form(Ask),
}

/// The role that is shown first, if the policy has it.
const FIRST: &str = "biller";

impl Asked {
    /// Reads the pairs of a query.
    pub fn read(pairs: &[(String, String)], catalogue: &Catalogue) -> Result<Self, ErrorPage> {
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if given.insert(name.as_str(), value.as_str()).is_some() {
                return Err(ErrorPage::PARAMETER);
            }
        }
        let link = ["record", "item", "role", "purpose", "role2", "purpose2"];
        let form = ["record", "item", "as", "and", "from"];
        let is_form = given.contains_key("as");
        if given.keys().any(|name| !if is_form { form.contains(name) } else { link.contains(name) }) {
            return Err(ErrorPage::PARAMETER);
        }
        let number = |name: &str, default: usize| match given.get(name) {
            None => Ok(default),
            Some(text) if text.len() <= 9 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse::<usize>().map_err(|_| ErrorPage::from(LensError::NoSuchRecord))
            }
            Some(_) => Err(LensError::NoSuchRecord.into()),
        };
        let (record, item) = (number("record", catalogue.first)?, number("item", 0)?);
        if record >= catalogue.patients.len() {
            return Err(LensError::NoSuchRecord.into());
        }
        if is_form {
            // Another record has other parts: it begins with its first.
            let from = number("from", record)?;
            let item = if from != record { 0 } else { item };
            let chosen = |name: &str| given.get(name).map(|text| text.rsplit_once('.').unwrap_or((text, "")));
            let (role, purpose) = chosen("as").unwrap_or_default();
            let view = view_as(catalogue, Some(role), Some(purpose))?;
            let beside = match chosen("and") {
                Some((role, purpose)) if !(role.is_empty() && purpose.is_empty()) => {
                    Some(view_as(catalogue, Some(role), Some(purpose))?)
                }
                _ => None,
            };
            return Ok(Self::Form(Ask { record, item, view, beside }));
        }
        let get = |name: &str| given.get(name).copied();
        let view = view_as(catalogue, get("role"), get("purpose"))?;
        let beside = match (get("role2"), get("purpose2")) {
            (None, None) => None,
            (role, purpose) => Some(view_as(catalogue, role, purpose)?),
        };
        Ok(Self::Link(Ask { record, item, view, beside }))
    }
}

impl Ask {
    /// The address of the view.
    pub fn href(&self) -> String {
        let ViewAs { role, purpose } = &self.view;
        let mut href = format!(
            "/lens?record={}&item={}&role={}&purpose={}",
            self.record,
            self.item,
            escaped(role),
            escaped(purpose)
        );
        if let Some(ViewAs { role, purpose }) = &self.beside {
            href.push_str(&format!("&role2={}&purpose2={}", escaped(role), escaped(purpose)));
        }
        href
    }
}

/// A role, or the first one; a purpose that it may choose, or its main one.
fn view_as(catalogue: &Catalogue, role: Option<&str>, purpose: Option<&str>) -> Result<ViewAs, ErrorPage> {
    let named = |name: &str| catalogue.roles.iter().find(|role| role.name == name);
    let role = match role {
        Some(name) => named(name),
        None if purpose.is_none() => named(FIRST).or_else(|| catalogue.roles.first()),
        // A purpose alone says nothing.
        None => return Err(ErrorPage::PARAMETER),
    };
    let role: &RoleChoice = role.ok_or(LensError::UnknownRole)?;
    let found = match purpose {
        Some("BTG") => return Err(LensError::NoElevation.into()),
        Some(code) => role.purposes.iter().find(|purpose| purpose.code == code),
        None => role.purposes.first(),
    };
    let found = found.ok_or(LensError::PurposeNotAllowed)?;
    Ok(ViewAs { role: role.name.clone(), purpose: found.code.clone() })
}
