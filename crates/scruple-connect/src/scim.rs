//! A connected system that speaks SCIM 2.0 (RFC 7643, 7644): its users and groups are read page by page, members are removed and users
//! deactivated by PATCH.
//!
//! What is read is all of it or an error: the pages must add up to what the first one said there is. Nothing of an answer stands in an
//! error, and the token in none.

use crate::web::{ScimAnswer, Web};
use http::Method;
use scruple_app::limits::{SYSTEM_ACCOUNTS_MAX, SYSTEM_HOLDINGS_MAX, SYSTEM_RIGHTS_MAX};
use scruple_app::ports::{
    AccountShown, NotRemoved, ReadingSystem, RemovalOrder, RemovingThere, Shown, SystemConnector,
};
use scruple_core::Phi;
use scruple_flow::connected::{ConnectorKind, ReadFailure, RemovalFailure, There};
use scruple_release::UpstreamError;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Resources that one page asks for.
const PAGE: usize = 100;
/// Memberships that are followed in one reading: groups that are in each other are no reason to work for hours.
const STEPS_MAX: usize = 4 * SYSTEM_HOLDINGS_MAX;
/// How deep groups in groups are followed.
const NESTED_MAX: usize = 16;

/// A system that speaks SCIM 2.0.
pub struct ScimSystem {
    web: Web,
    base: String,
    token: SecretString,
}

struct Group {
    there: There,
    members: BTreeSet<String>,
}

impl ScimSystem {
    /// The system at a base such as `https://warehouse.example/scim/v2`, with its token.
    #[must_use]
    pub fn new(web: Web, base: &str, token: SecretString) -> Self {
        Self { web, base: base.trim_end_matches('/').to_owned(), token }
    }

    async fn get(&self, path: &str) -> Result<Value, ReadFailure> {
        let address = format!("{}/{path}", self.base);
        let answer = self.web.call_scim(Method::GET, &address, &self.token, None).await;
        let ScimAnswer { status, body, .. } = answer.map_err(|error| match error {
            UpstreamError::Timeout { .. } => ReadFailure::Timeout,
            UpstreamError::Malformed(_) => ReadFailure::Malformed,
            _ => ReadFailure::Unreachable,
        })?;
        match status {
            200 => serde_json::from_str(&body).map_err(|_| ReadFailure::Malformed),
            401 | 403 => Err(ReadFailure::Refused),
            408 | 429 | 500..=599 => Err(ReadFailure::Busy),
            _ => Err(ReadFailure::Malformed),
        }
    }

    /// Every resource of an endpoint, of each what is needed. The pages add up to what each of them says there is, nothing comes twice, and
    /// each begins with the last of the one before: of what moved between two pages nothing is missed.
    async fn all(&self, endpoint: &str, max: usize, needed: &[&str]) -> Result<Vec<Value>, ReadFailure> {
        let (mut all, mut seen, mut total): (Vec<Value>, BTreeSet<String>, Option<usize>) =
            (Vec::new(), BTreeSet::new(), None);
        loop {
            let start = all.len().max(1);
            let page = self.get(&format!("{endpoint}?startIndex={start}&count={PAGE}")).await?;
            let said = page.get("totalResults").and_then(Value::as_u64).ok_or(ReadFailure::Malformed)?;
            let said = usize::try_from(said).map_err(|_| ReadFailure::TooLarge)?;
            if said > max {
                return Err(ReadFailure::TooLarge);
            }
            // It changed while it was read: the pages may have moved.
            if *total.get_or_insert(said) != said {
                return Err(ReadFailure::Incomplete);
            }
            let resources = match page.get("Resources") {
                Some(Value::Array(resources)) => resources.as_slice(),
                None if said == 0 => &[],
                _ => return Err(ReadFailure::Malformed),
            };
            let resources = match all.last() {
                None => resources,
                Some(last) => match resources.split_first() {
                    Some((first, rest)) if text(first, "id") == text(last, "id") => rest,
                    _ => return Err(ReadFailure::Incomplete),
                },
            };
            for resource in resources {
                if !seen.insert(text(resource, "id").ok_or(ReadFailure::Malformed)?.to_owned()) {
                    return Err(ReadFailure::Incomplete);
                }
                let kept = needed.iter().filter_map(|name| Some(((*name).to_owned(), resource.get(*name)?.clone())));
                all.push(Value::Object(kept.collect()));
            }
            match all.len() {
                read if read == said => return Ok(all),
                read if read > said || resources.is_empty() => return Err(ReadFailure::Incomplete),
                _ => {}
            }
        }
    }

    async fn groups(&self) -> Result<Vec<Group>, ReadFailure> {
        let (mut groups, mut count): (Vec<Group>, usize) = (Vec::new(), 0);
        for listed in self.all("Groups", SYSTEM_RIGHTS_MAX, &["id", "displayName", "members"]).await? {
            let reference = text(&listed, "id").ok_or(ReadFailure::Malformed)?.to_owned();
            let name = text(&listed, "displayName").unwrap_or(&reference).to_owned();
            // A list may leave members out; the group itself tells, and there none is nobody (RFC 7643, 2.5).
            let whole = match listed.get("members") {
                Some(_) => listed,
                None => self.get(&format!("Groups/{}", escaped(&reference))).await?,
            };
            if text(&whole, "id") != Some(&reference) {
                return Err(ReadFailure::Malformed);
            }
            let members = match whole.get("members") {
                None | Some(Value::Null) => BTreeSet::new(),
                Some(Value::Array(members)) => {
                    let ids = members.iter().map(|member| text(member, "value").map(str::to_owned));
                    ids.collect::<Option<_>>().ok_or(ReadFailure::Malformed)?
                }
                Some(_) => return Err(ReadFailure::Malformed),
            };
            let members: BTreeSet<String> = members;
            count = count.saturating_add(members.len());
            if count > SYSTEM_HOLDINGS_MAX {
                return Err(ReadFailure::TooLarge);
            }
            groups.push(Group { there: There { reference, name }, members });
        }
        Ok(groups)
    }

    async fn whole(&self) -> Result<Shown, ReadFailure> {
        let mut accounts = BTreeMap::new();
        for user in self.all("Users", SYSTEM_ACCOUNTS_MAX, &["id", "userName", "active"]).await? {
            let reference = text(&user, "id").ok_or(ReadFailure::Malformed)?.to_owned();
            let name = text(&user, "userName").ok_or(ReadFailure::Malformed)?.to_owned();
            let is_active = match user.get("active") {
                Some(Value::Bool(active)) => *active,
                // What is not said to be off is on.
                Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
                _ => true,
            };
            let there = Phi::new(There { reference: reference.clone(), name });
            accounts.insert(reference, AccountShown { there, is_active, rights: BTreeSet::new() });
        }
        let groups = self.groups().await?;
        let members: BTreeMap<&str, &BTreeSet<String>> =
            groups.iter().map(|group| (group.there.reference.as_str(), &group.members)).collect();
        let mut steps = STEPS_MAX;
        for group in &groups {
            for member in people(&members, &group.there.reference, &mut steps)? {
                // Somebody whom the users do not tell of: what he has is told all the same.
                let account = accounts.entry(member.to_owned()).or_insert_with(|| AccountShown {
                    there: Phi::new(There { reference: member.to_owned(), name: String::new() }),
                    is_active: false,
                    rights: BTreeSet::new(),
                });
                account.rights.insert(group.there.reference.clone());
            }
        }
        let rights = groups.into_iter().map(|group| Phi::new(group.there)).collect();
        Ok(Shown { as_of: None, rights, accounts: accounts.into_values().collect() })
    }

    async fn take(&self, order: &RemovalOrder) -> Result<(), NotRemoved> {
        let account = &order.account.expose().reference;
        let (path, operation) = match &order.right {
            Some(right) => {
                let path = format!("members[value eq {}]", Value::String(account.clone()));
                (format!("Groups/{}", escaped(&right.expose().reference)), json!({ "op": "remove", "path": path }))
            }
            None => {
                (format!("Users/{}", escaped(account)), json!({ "op": "replace", "path": "active", "value": false }))
            }
        };
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
        let address = format!("{}/{path}", self.base);
        let answer = self.web.call_scim(Method::PATCH, &address, &self.token, Some(body.to_string())).await;
        let not = |failure, wait_s| Err(NotRemoved { failure, wait_s });
        match answer {
            // Not there is as good as removed, if the next reading says so too.
            Ok(ScimAnswer { status: 200..=299 | 404, .. }) => Ok(()),
            Ok(ScimAnswer { status: 408 | 429 | 500..=599, wait_s, .. }) => not(RemovalFailure::Busy, wait_s),
            Ok(ScimAnswer { wait_s, .. }) => not(RemovalFailure::Refused, wait_s),
            // It may have done it.
            Err(UpstreamError::Timeout { .. }) => not(RemovalFailure::Timeout, None),
            Err(_) => not(RemovalFailure::Unreachable, None),
        }
    }
}

/// The members of a group that are no groups, those of groups in it included.
fn people<'a>(
    groups: &BTreeMap<&'a str, &'a BTreeSet<String>>,
    of: &'a str,
    steps: &mut usize,
) -> Result<BTreeSet<&'a str>, ReadFailure> {
    let (mut people, mut seen, mut next) = (BTreeSet::new(), BTreeSet::from([of]), vec![of]);
    for _ in 0..=NESTED_MAX {
        let mut deeper = Vec::new();
        for member in next.iter().filter_map(|group| groups.get(group)).flat_map(|members| members.iter()) {
            *steps = steps.checked_sub(1).ok_or(ReadFailure::TooLarge)?;
            if !groups.contains_key(member.as_str()) {
                people.insert(member.as_str());
            } else if seen.insert(member.as_str()) {
                deeper.push(member.as_str());
            }
        }
        if deeper.is_empty() {
            return Ok(people);
        }
        next = deeper;
    }
    Err(ReadFailure::TooLarge)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl SystemConnector for ScimSystem {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::Scim
    }

    fn read(&self) -> ReadingSystem<'_> {
        Box::pin(self.whole())
    }

    fn remove<'a>(&'a self, order: &'a RemovalOrder) -> RemovingThere<'a> {
        Box::pin(self.take(order))
    }
}
