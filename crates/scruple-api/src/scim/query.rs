//! Queries (RFC 7644, 3.4.2): parameters, the resources that match, one page of them.
//!
//! `userName`, `externalId`, `displayName` of a group and `id` are found by an index where a filter asks for equality with
//! one; any other filter is held against at most [`SCANNED_MAX`](super::limits::SCANNED_MAX) resources. Without a filter a page is read from its place.

use super::document::Shown;
use super::error::ScimError;
use super::filter::{self, Filter};
use super::limits::{RESULTS_DEFAULT, RESULTS_MAX};
use super::schema::{GROUPS, ResourceType, USERS};
use super::{Scim, group, user};
use percent_encoding::percent_decode_str;
use scruple_app::directory::{
    count_groups, count_users, find_group, find_groups, find_user, find_users, page_of_groups, page_of_users,
    place_of_groups, place_of_users,
};
use scruple_core::Phi;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Debug, Default)]
pub struct Query {
    filter: Option<Filter>,
    /// From 1.
    start: usize,
    count: usize,
    pub shown: Shown,
}

const PAGE: i64 = 200;

fn names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

impl Query {
    /// From the query of a URL.
    pub fn of_url(query: &str) -> Result<Self, ScimError> {
        let mut said = serde_json::Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| {
                let text = text.replace('+', " ");
                percent_decode_str(&text).decode_utf8().map(|text| text.into_owned()).map_err(|_| ScimError::PARAMETERS)
            };
            said.insert(decoded(name)?, decoded(value)?.into());
        }
        Self::of_message(&said.into())
    }

    /// From a SearchRequest, or what a URL says in its words. Unknown parameters are no error; sorting is not offered.
    pub fn of_message(said: &Value) -> Result<Self, ScimError> {
        let said = said.as_object().ok_or(ScimError::SYNTAX)?;
        let get = |name: &str| said.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let number = |name| match get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse::<i64>().map(Some).map_err(|_| ScimError::PARAMETERS),
            Some(value) => value.as_i64().map(Some).ok_or(ScimError::PARAMETERS),
        };
        let list = |name| match get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(names(text)),
            Some(Value::Array(list)) => Ok(list.iter().filter_map(Value::as_str).flat_map(names).collect()),
            Some(_) => Err(ScimError::PARAMETERS),
        };
        let filter = match get("filter") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.trim().is_empty() => None,
            Some(Value::String(text)) => Some(filter::parse(text)?),
            Some(_) => return Err(ScimError::FILTER),
        };
        let start = number("startIndex")?.unwrap_or(1).max(1);
        // A negative number is none (RFC 7644, 3.4.2.4).
        let count = number("count")?.map_or(RESULTS_DEFAULT, |count| usize::try_from(count).unwrap_or(0));
        Ok(Self {
            filter,
            start: usize::try_from(start).map_err(|_| ScimError::PARAMETERS)?,
            count: count.min(RESULTS_MAX),
            shown: Shown::new(list("attributes")?, list("excludedAttributes")?)?,
        })
    }
}

/// One page of what is asked for, of some types of resource, in their order.
pub async fn answer(scim: &Scim, kinds: &[&'static ResourceType], query: &Query) -> Result<Value, ScimError> {
    let mut skip = query.start.saturating_sub(1);
    let mut total = 0_usize;
    let mut shown: Vec<Value> = Vec::new();
    for kind in kinds.iter().copied() {
        let left = query.count.saturating_sub(shown.len());
        let (found, resources) = match &query.filter {
            Some(filter) => {
                let found = matching(scim, kind, filter).await?;
                (found.len(), found.into_iter().skip(skip).take(left).collect())
            }
            None => (count(scim, kind).await?, page(scim, kind, skip, left).await?),
        };
        skip = skip.saturating_sub(found);
        total = total.saturating_add(found);
        shown.extend(resources.into_iter().map(|resource| query.shown.of(kind, resource)));
    }
    Ok(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": query.start,
        "itemsPerPage": shown.len(),
        "Resources": shown,
    }))
}

fn is_users(kind: &ResourceType) -> bool {
    kind.name == USERS.name
}

async fn count(scim: &Scim, kind: &'static ResourceType) -> Result<usize, ScimError> {
    let count = if is_users(kind) { count_users(&scim.store).await? } else { count_groups(&scim.store).await? };
    usize::try_from(count).map_err(|_| ScimError::INTERNAL)
}

/// So many resources from a place on.
async fn page(scim: &Scim, kind: &'static ResourceType, skip: usize, count: usize) -> Result<Vec<Value>, ScimError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let (skip, limit) = (i64::try_from(skip).unwrap_or(i64::MAX), i64::try_from(count).unwrap_or(PAGE));
    if is_users(kind) {
        let Some(after) = place_of_users(&scim.store, skip).await? else { return Ok(Vec::new()) };
        let page = page_of_users(&scim.store, after, limit, scim.clock.now()).await?;
        page.iter().map(|one| user::render(one, &scim.base)).collect()
    } else {
        let Some(after) = place_of_groups(&scim.store, skip).await? else { return Ok(Vec::new()) };
        let page = page_of_groups(&scim.store, after, limit).await?;
        Ok(page.iter().map(|one| group::render(one, &scim.base)).collect())
    }
}

/// All that match a filter.
async fn matching(scim: &Scim, kind: &'static ResourceType, filter: &Filter) -> Result<Vec<Value>, ScimError> {
    let mut found = match by_index(scim, kind, filter).await? {
        Some(candidates) => candidates,
        None => all(scim, kind).await?,
    };
    found.retain(|resource| filter::matches(kind, filter, resource));
    Ok(found)
}

/// What an index finds that the filter asks for; `None`: it asks for none.
async fn by_index(scim: &Scim, kind: &'static ResourceType, filter: &Filter) -> Result<Option<Vec<Value>>, ScimError> {
    let asks = |name| filter::must_equal(kind, filter, name);
    let external = asks("externalId").map(|text| Phi::new(text.to_owned()));
    let now = scim.clock.now();
    if is_users(kind) {
        let users = if let Some(id) = asks("id") {
            match id.parse() {
                Ok(id) => find_user(&scim.store, id, now).await?.into_iter().collect(),
                Err(_) => Vec::new(),
            }
        } else if let Some(name) = asks("userName") {
            match name.parse() {
                Ok(login) => find_users(&scim.store, (Some(&login), None), now).await?,
                Err(_) => Vec::new(),
            }
        } else if external.is_some() {
            find_users(&scim.store, (None, external.as_ref()), now).await?
        } else {
            return Ok(None);
        };
        return users.iter().map(|one| user::render(one, &scim.base)).collect::<Result<_, _>>().map(Some);
    }
    let display = asks("displayName").map(|text| Phi::new(text.to_owned()));
    let groups = if let Some(id) = asks("id") {
        match id.parse() {
            Ok(id) => find_group(&scim.store, id).await?.into_iter().collect(),
            Err(_) => Vec::new(),
        }
    } else if display.is_some() {
        find_groups(&scim.store, (display.as_ref(), None)).await?
    } else if external.is_some() {
        find_groups(&scim.store, (None, external.as_ref())).await?
    } else {
        return Ok(None);
    };
    Ok(Some(groups.iter().map(|one| group::render(one, &scim.base)).collect()))
}

/// All resources of a type, if they are not too many to look at.
async fn all(scim: &Scim, kind: &'static ResourceType) -> Result<Vec<Value>, ScimError> {
    if count(scim, kind).await? > scim.scanned_max {
        return Err(ScimError::TOO_MANY);
    }
    let mut found = Vec::new();
    if is_users(kind) {
        let mut after = None;
        loop {
            let page = page_of_users(&scim.store, after, PAGE, scim.clock.now()).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.record.person.id);
            for one in &page {
                found.push(user::render(one, &scim.base)?);
            }
            if found.len() > scim.scanned_max {
                return Err(ScimError::TOO_MANY);
            }
        }
    }
    debug_assert_eq!(kind.name, GROUPS.name);
    let mut after = None;
    loop {
        let page = page_of_groups(&scim.store, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.group.id);
        found.extend(page.iter().map(|one| group::render(one, &scim.base)));
        if found.len() > scim.scanned_max {
            return Err(ScimError::TOO_MANY);
        }
    }
}
