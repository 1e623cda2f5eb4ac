//! Parameters of queries: each once, none that is not known.

use crate::caller::Caller;
use crate::cursor;
use crate::fail::Fail;
use crate::limits::{RESULTS_DEFAULT, RESULTS_MAX};
use crate::service::Service;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a query says.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters of a query, of which these are known.
    pub fn of(query: Option<&str>, known: &[&str]) -> Result<Self, Fail> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            if !known.contains(&name.as_str()) || pairs.iter().any(|(other, _)| *other == name) {
                return Err(Fail::QUERY);
            }
            pairs.push((name, decoded(value)?));
        }
        Ok(Self(pairs))
    }

    /// A parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter as something else.
    pub fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Fail> {
        self.text(name).map(|text| parse(text).ok_or(Fail::QUERY)).transpose()
    }

    /// How many rows.
    pub fn limit(&self) -> Result<usize, Fail> {
        let known = |limit: &usize| (1..=RESULTS_MAX).contains(limit);
        let limit = self.parsed("limit", |text| text.parse().ok().filter(known))?;
        Ok(limit.unwrap_or(RESULTS_DEFAULT))
    }

    /// What a cursor is bound to: the list with its filters.
    fn bound(&self, caller: &Caller, list: &str) -> Vec<u8> {
        let mut same: Vec<&(String, String)> =
            self.0.iter().filter(|(name, _)| name != "cursor" && name != "limit").collect();
        same.sort();
        let same = format!("{same:?}");
        cursor::bound(caller.person(), &[b"list 1", list.as_bytes(), same.as_bytes()])
    }

    /// Where the list goes on.
    pub fn place<T: DeserializeOwned>(
        &self,
        service: &Service,
        caller: &Caller,
        list: &str,
    ) -> Result<Option<T>, Fail> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        cursor::open(&service.parts.seal, &self.bound(caller, list), text).map(Some).ok_or(Fail::CURSOR)
    }

    /// The cursor of the next page.
    pub fn next<T: Serialize>(
        &self,
        service: &Service,
        caller: &Caller,
        list: &str,
        place: Option<&T>,
    ) -> Result<Option<String>, Fail> {
        let mut rng = (service.parts.rng)();
        place.map(|place| cursor::seal(&service.parts.seal, &self.bound(caller, list), place, &mut *rng)).transpose()
    }
}

fn decoded(text: &str) -> Result<String, Fail> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(|text| text.into_owned()).map_err(|_| Fail::QUERY)
}
