//! The closed grammar of a search's parameters (docs/search.md, 1).

use super::criterion::{self, Modifier};
use super::order::By;
use super::reads::{Reads, parameter};
use super::{Asked, Condition, Criterion, Cut, Include, QueryFault, Search, Test, is_json};
use crate::dictionary::{TypeId, dictionary};
use scruple_core::limits::{
    SEARCH_ALTERNATIVES_IN_ALL_MAX, SEARCH_ALTERNATIVES_MAX, SEARCH_COUNT_DEFAULT, SEARCH_COUNT_MAX,
    SEARCH_INCLUDES_MAX, SEARCH_LINKS_MAX, SEARCH_ORDERS_MAX, SEARCH_PARAMETERS_MAX, SEARCH_VALUE_BYTES_MAX,
};

/// Parameters that say how to answer, and stand once.
const CONTROLS: [&str; 7] = ["_count", "_total", "_summary", "_elements", "_sort", "_format", "_page"];

const fn malformed(what: &'static str, parameter: Option<&'static str>) -> QueryFault {
    QueryFault::Malformed { what, parameter }
}

/// Reads the parameters of a search.
///
/// # Errors
/// What is malformed or not supported; no data was read.
pub fn parse(resource_type: TypeId, pairs: &[(String, String)]) -> Result<Asked, QueryFault> {
    let alternatives: usize = pairs.iter().map(|(_, value)| value.split(',').count()).sum();
    if pairs.len() > SEARCH_PARAMETERS_MAX || alternatives > SEARCH_ALTERNATIVES_IN_ALL_MAX {
        return Err(malformed("too many parameters", None));
    }
    let mut search = Search {
        resource_type,
        conditions: Vec::new(),
        includes: Vec::new(),
        count: SEARCH_COUNT_DEFAULT,
        total: false,
        only_total: false,
        order: Vec::new(),
        cut: Cut::Nothing,
        echo: Vec::new(),
    };
    let mut page = None;
    let mut seen: Vec<&str> = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let place = index + 1;
        let control = CONTROLS.into_iter().find(|known| known == name);
        if let Some(control) = control {
            if seen.contains(&control) {
                return Err(malformed("a control parameter stands twice", Some(control)));
            }
            seen.push(control);
        }
        match control {
            Some("_page") => page = Some(value.clone()),
            Some("_format") => {
                if !is_json(value) {
                    return Err(QueryFault::Format);
                }
                continue;
            }
            Some(control) => search.control(control, value, place)?,
            None => search.parameter(name, value, place)?,
        }
        search.echo.push((name.clone(), value.clone()));
    }
    search.total |= search.only_total;
    if search.only_total && !search.includes.is_empty() {
        return Err(malformed("a count has nothing beside it", Some("_summary")));
    }
    match page {
        None => Ok(Asked::Search(search)),
        Some(token) if search.echo.len() == 1 => Ok(Asked::Page(token)),
        Some(_) => Err(malformed("a page token stands alone", Some("_page"))),
    }
}

impl Search {
    fn control(&mut self, control: &'static str, value: &str, place: usize) -> Result<(), QueryFault> {
        let unsupported = QueryFault::NotSupported { parameter: Some(control), place };
        match control {
            "_count" => {
                let digits = (1..=9).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
                let count = value.parse::<usize>().ok().filter(|count| digits && *count > 0);
                let count = count.ok_or(malformed("not a number above 0", Some(control)))?;
                self.count = count.min(SEARCH_COUNT_MAX);
            }
            "_total" => match value {
                "accurate" => self.total = true,
                "none" | "estimate" => {}
                _ => return Err(malformed("none of none, estimate, accurate", Some(control))),
            },
            "_summary" => match value {
                "count" => self.only_total = true,
                "text" => self.cut_to(Cut::Text)?,
                "data" => self.cut_to(Cut::Data)?,
                "false" => {}
                _ => return Err(unsupported),
            },
            "_elements" => {
                let name = |name: &str| Cut::element(self.resource_type, name);
                let names: Option<Vec<&'static str>> = value.split(',').map(name).collect();
                let names = names.ok_or(malformed("an element that the type does not have", Some(control)))?;
                self.cut_to(Cut::Elements(names))?;
            }
            _ => self.order = order(self.resource_type, value, place)?,
        }
        if self.only_total && self.cut != Cut::Nothing {
            return Err(malformed("it does not go with `_summary`", Some("_elements")));
        }
        Ok(())
    }

    fn cut_to(&mut self, cut: Cut) -> Result<(), QueryFault> {
        if self.cut != Cut::Nothing {
            return Err(malformed("it does not go with `_summary`", Some("_elements")));
        }
        self.cut = cut;
        Ok(())
    }

    fn parameter(&mut self, name: &str, value: &str, place: usize) -> Result<(), QueryFault> {
        let (base, modifier) = name.split_once(':').map_or((name, None), |(base, rest)| (base, Some(rest)));
        if let Some(backwards) = match base {
            "_include" => Some(false),
            "_revinclude" => Some(true),
            _ => None,
        } {
            let known = Some(if backwards { "_revinclude" } else { "_include" });
            let iterate = match modifier {
                None => false,
                Some("iterate") => true,
                Some(_) => return Err(QueryFault::NotSupported { parameter: known, place }),
            };
            if self.includes.len() >= SEARCH_INCLUDES_MAX {
                return Err(malformed("too many of them", known));
            }
            let include = include(value, backwards, iterate)
                .filter(|include| backwards || iterate || include.source == self.resource_type);
            self.includes.push(include.ok_or(QueryFault::NotSupported { parameter: known, place })?);
            return Ok(());
        }
        self.conditions.push(condition(self.resource_type, name, value, place, SEARCH_LINKS_MAX, true)?);
        Ok(())
    }
}

/// `Type:name[:Target]`.
fn include(value: &str, backwards: bool, iterate: bool) -> Option<Include> {
    let mut parts = value.split(':');
    let source = dictionary().resource(parts.next()?)?;
    let reads = Reads::references(source, parts.next()?)?;
    let target = match parts.next() {
        Some(name) => Some(dictionary().resource(name)?),
        None => None,
    };
    parts.next().is_none().then_some(Include { source, reads, target, backwards, iterate })
}

fn order(resource_type: TypeId, value: &str, place: usize) -> Result<Vec<By>, QueryFault> {
    let unsupported = || QueryFault::NotSupported { parameter: Some("_sort"), place };
    let by = |part: &str| {
        let (name, descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        let reads = Reads::find(resource_type, name).filter(By::is_order).ok_or_else(unsupported)?;
        Ok(By { reads, descending })
    };
    let order: Vec<By> = value.split(',').map(by).collect::<Result<_, QueryFault>>()?;
    if order.len() > SEARCH_ORDERS_MAX { Err(malformed("too many parameters", Some("_sort"))) } else { Ok(order) }
}

/// A condition on resources of a type, with so many links left.
fn condition(
    resource_type: TypeId,
    name: &str,
    value: &str,
    place: usize,
    links: usize,
    from_behind: bool,
) -> Result<Condition, QueryFault> {
    let unsupported = |parameter| QueryFault::NotSupported { parameter, place };
    if let Some(rest) = name.strip_prefix("_has:").filter(|_| from_behind) {
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unsupported(None));
        };
        let links = links.checked_sub(1).ok_or_else(|| malformed("too many links", None))?;
        let source = dictionary().resource(source).ok_or_else(|| unsupported(None))?;
        let reads = Reads::references(source, code).filter(|reads| reads.may_point_to(resource_type));
        let reads = reads.ok_or_else(|| unsupported(None))?;
        let inner = condition(source, rest, value, place, links, true)?;
        return Ok(Condition::Has(source, reads, Box::new(inner)));
    }
    let Some((head, rest)) = name.split_once('.') else {
        return Ok(Condition::Own(own(resource_type, name, value, place)?));
    };
    let (code, wanted) = head.split_once(':').map_or((head, None), |(code, kind)| (code, Some(kind)));
    let known = parameter(resource_type, code).map(|parameter| parameter.code);
    let links = links.checked_sub(1).ok_or_else(|| malformed("too many links", known))?;
    let reads = Reads::references(resource_type, code).ok_or_else(|| unsupported(known))?;
    let target = match wanted {
        Some(name) => dictionary().resource(name).filter(|target| reads.may_point_to(*target)),
        None => reads.only_target(),
    };
    let target = target.ok_or_else(|| unsupported(known))?;
    let inner = condition(target, rest, value, place, links, false)?;
    Ok(Condition::Chain(reads, target, Box::new(inner)))
}

/// A criterion that is judged on the resource alone.
fn own(resource_type: TypeId, name: &str, value: &str, place: usize) -> Result<Criterion, QueryFault> {
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, word)| (code, Some(word)));
    let known = parameter(resource_type, code).map(|parameter| parameter.code);
    let unsupported = || QueryFault::NotSupported { parameter: known, place };
    let reads = Reads::find(resource_type, code).ok_or_else(unsupported)?;
    let modifier = match modifier {
        Some(word) => Some(Modifier::parse(&reads, word).ok_or_else(unsupported)?),
        None => None,
    };
    let malformed = |what| malformed(what, known);
    if value.len() > SEARCH_VALUE_BYTES_MAX {
        return Err(malformed("a value that is too long"));
    }
    let parts = criterion::alternatives(value);
    if parts.len() > SEARCH_ALTERNATIVES_MAX {
        return Err(malformed("too many alternatives"));
    }
    let test = if modifier == Some(Modifier::Missing) {
        match value {
            "true" => Test::Missing,
            "false" => Test::There,
            _ => return Err(malformed("neither true nor false")),
        }
    } else {
        let read = |part: &String| criterion::read(&reads, modifier, part).map_err(malformed);
        let alternatives = parts.iter().map(read).collect::<Result<_, _>>()?;
        if modifier == Some(Modifier::Not) { Test::None(alternatives) } else { Test::Any(alternatives) }
    };
    Ok(Criterion { reads, value: value.to_owned(), test })
}
