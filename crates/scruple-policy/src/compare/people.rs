//! What the pack says of people: who agrees, what the console lets whom do; guardrails, exceptions, and the pack as a whole.

use super::{About, Change, Direction, the, the_upper};
use crate::model::{Act, ActScope, Pack, Relationships, Rule, StepLine};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn compare(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    approvals(before, after, changes);
    console(before, after, changes);
    steps(before, after, changes);
    projects(before, after, changes);
    guardrails(before, after, changes);
    exceptions(before, after, changes);
    sign_in(before, after, changes);
    whole(before, after, changes);
}

fn change(about: About, what: String, direction: Direction, told: [Option<String>; 2], sentence: String) -> Change {
    let [before, after] = told;
    Change { role: None, about, what, direction, before, after, sentence }
}

fn approvals(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    for_kinds(before, after, changes);
    let [old, new] = [&before.approvals.lines, &after.approvals.lines];
    let keys: BTreeSet<&(String, bool)> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was == is {
            continue;
        }
        let (who, of_patients) = key;
        let what = if *of_patients { "records of named patients in" } else { "the role" };
        let whom = who.strip_prefix("tier:").map_or_else(|| the(who), |tier| format!("roles of {tier} risk"));
        let direction = match (was, is) {
            // Without a line it is not given.
            (None, _) => Direction::Wider,
            (_, None) => Direction::Narrower,
            (Some(was), Some(is)) => match (eases(was, is), eases(is, was)) {
                (true, false) => Direction::Wider,
                (false, true) => Direction::Narrower,
                _ => Direction::Otherwise,
            },
        };
        let told = [was, is].map(|rule| rule.map(rule_words));
        let [from, to] = told.clone().map(|text| text.unwrap_or_else(|| "not given".to_owned()));
        let sentence = format!("Access to {what} {whom}: {to}; before: {from}.");
        let of = if *of_patients { "patients" } else { "role" };
        changes.push(change(About::Approval, format!("{who} {of}"), direction, told, sentence));
    }
}

/// Who agrees beside the others, kind of information by kind.
fn for_kinds(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let [old, new] = [&before.approvals.kinds, &after.approvals.kinds];
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for kind in keys {
        let (was, is) = (old.get(kind), new.get(kind));
        if was == is {
            continue;
        }
        let direction = match (was, is) {
            (None, _) => Direction::Narrower,
            (_, None) => Direction::Wider,
            (Some(was), Some(is)) => match (eases(was, is), eases(is, was)) {
                (true, false) => Direction::Wider,
                (false, true) => Direction::Narrower,
                _ => Direction::Otherwise,
            },
        };
        let told = [was, is].map(|rule| rule.map(rule_words));
        let [from, to] = told.clone().map(|text| text.unwrap_or_else(|| "as any other".to_owned()));
        let name = kind.strip_prefix("segment:").unwrap_or(kind).replace('_', " ");
        let sentence =
            format!("Access to {name} of named patients, beside what its role asks for: {to}; before: {from}.");
        changes.push(change(About::Approval, format!("any {kind}"), direction, told, sentence));
    }
}

/// Whether what one rule asks for is at most what another does.
fn eases(strict: &Rule, easy: &Rule) -> bool {
    let needs = |rule: &Rule| rule.needs.iter().cloned().collect::<BTreeSet<String>>();
    needs(easy).is_subset(&needs(strict))
        && strict.hours <= easy.hours
        && strict.decide_hours <= easy.decide_hours
        && (!easy.step_up || strict.step_up)
        && match (&strict.backup, &easy.backup) {
            // Somebody more who may answer, or sooner, eases it.
            (None, _) => true,
            (Some(strict), Some(easy)) => strict.0 == easy.0 && easy.1 <= strict.1,
            (Some(_), None) => false,
        }
}

fn rule_words(rule: &Rule) -> String {
    let apart = |word: &str| match word {
        "outside_line" => " outside the line of who asks".to_owned(),
        "other_unit" => " of another department".to_owned(),
        roles => roles.replace('|', " or ").replace('_', " "),
    };
    let needs: Vec<String> = rule.needs.iter().map(|need| need.split('+').map(apart).collect()).collect();
    let confirmed = if rule.step_up { ", who confirm who they are" } else { "" };
    let backup = rule.backup.as_ref().map_or_else(String::new, |(role, hours)| {
        format!(", after {hours} hours without an answer by {} too", role.replace('_', " "))
    });
    format!(
        "agreed to by {}{confirmed}, for {} hours at most, decided within {} hours{backup}",
        needs.join(" and "),
        rule.hours,
        rule.decide_hours
    )
}

/// How people must have signed in.
fn sign_in(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let [old, new] = [&before.sign_in, &after.sign_in];
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let segments = |pack: &Pack| -> BTreeSet<String> {
        pack.segment_names(pack.sign_in.confirmed_outside).into_iter().map(str::to_owned).collect()
    };
    // More of it asks for more.
    let asks = |was: &BTreeSet<String>, is: &BTreeSet<String>| match (was.is_subset(is), is.is_subset(was)) {
        (true, _) => Direction::Narrower,
        (_, true) => Direction::Wider,
        _ => Direction::Otherwise,
    };
    let stricter = |narrower: bool| if narrower { Direction::Narrower } else { Direction::Wider };
    let (outside, outside_now) = (segments(before), segments(after));
    let hours = |pack: &Pack| pack.sign_in.working_hours.as_ref().map_or_else(|| "none".to_owned(), |one| one.words());
    let rows = [
        (
            "several_factors",
            [old.several_factors.to_string(), new.several_factors.to_string()],
            stricter(new.several_factors),
        ),
        ("acr_values", [list(&old.acr_values), list(&new.acr_values)], Direction::Otherwise),
        (
            "one_factor_roles",
            [list(&old.one_factor_roles), list(&new.one_factor_roles)],
            asks(&new.one_factor_roles, &old.one_factor_roles),
        ),
        (
            "emergency",
            [old, new].map(|rules| if rules.emergency_opens { "open" } else { "closed" }.to_owned()),
            stricter(!new.emergency_opens),
        ),
        ("device", [old, new].map(|rules| rules.device.word().to_owned()), stricter(new.device > old.device)),
        ("device_must", [list(&old.device_must), list(&new.device_must)], asks(&old.device_must, &new.device_must)),
        (
            "confirmed_minutes",
            [old, new].map(|rules| rules.confirmed_minutes.to_string()),
            stricter(new.confirmed_minutes < old.confirmed_minutes),
        ),
        ("confirmed_outside", [list(&outside), list(&outside_now)], asks(&outside, &outside_now)),
        ("working_hours", [hours(before), hours(after)], Direction::Otherwise),
    ];
    for (name, [was, is], direction) in rows {
        if was != is {
            let sentence = format!("How people sign in: `{name}` is {is}; before: {was}.");
            changes.push(change(About::Pack, name.to_owned(), direction, [Some(was), Some(is)], sentence));
        }
    }
}

/// A step that is asked for no more lets people in sooner.
fn steps(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let key = |line: &StepLine| (line.name.clone(), line.who.clone());
    let all = |pack: &Pack| pack.steps.iter().map(|line| (key(line), line.clone())).collect::<BTreeMap<_, _>>();
    let [old, new] = [all(before), all(after)];
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was == is {
            continue;
        }
        let direction = match (was, is) {
            (None, _) => Direction::Narrower,
            (_, None) => Direction::Wider,
            (Some(was), Some(is)) if was.kind == is.kind && is.days > was.days => Direction::Wider,
            (Some(was), Some(is)) if was.kind == is.kind && is.days < was.days => Direction::Narrower,
            _ => Direction::Otherwise,
        };
        let told = [was, is].map(|line| line.map(|line| format!("{}, for {} days", line.kind, line.days)));
        let [from, to] = told.clone().map(|text| text.unwrap_or_else(|| "not asked for".to_owned()));
        let (name, who) = key;
        let sentence = format!("Before the first record, `{name}` of {}: {to}; before: {from}.", the(who));
        changes.push(change(About::Console, format!("{who} {name}"), direction, told, sentence));
    }
}

/// A role that needs no project any more is given sooner.
fn projects(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    for role in before.needs_project.symmetric_difference(&after.needs_project) {
        let needs = after.needs_project.contains(role);
        let (direction, told) = if needs {
            (Direction::Narrower, [None, Some("for a project".to_owned())])
        } else {
            (Direction::Wider, [Some("for a project".to_owned()), None])
        };
        let sentence = if needs {
            format!("{} is given for a project that was assessed, and for nothing else.", the_upper(role))
        } else {
            format!("{} is given without a project.", the_upper(role))
        };
        changes.push(change(About::Approval, format!("{role} project"), direction, told, sentence));
    }
}

fn console(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let [old, new] = [&before.console.0, &after.console.0];
    let keys: BTreeSet<&(Act, String)> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was == is {
            continue;
        }
        let (act, who) = key;
        let word = Act::ALL.into_iter().find(|(known, _)| known == act).map_or("?", |(_, word)| word);
        let direction = if was < is { Direction::Wider } else { Direction::Narrower };
        let told = [was, is].map(|scope| scope.map(|scope| scope_words(*scope).to_owned()));
        let whom = if who == "everyone" { "Everyone".to_owned() } else { the_upper(who) };
        let sentence = match (&told[0], &told[1]) {
            (None, Some(is)) => format!("{whom} may do `{word}` in the console, {is}."),
            (_, None) => format!("{whom} may no longer do `{word}` in the console."),
            (Some(was), Some(is)) => format!("{whom} may do `{word}` in the console {is}; before, {was}."),
        };
        changes.push(change(About::Console, format!("{word} {who}"), direction, told, sentence));
    }
}

const fn scope_words(scope: ActScope) -> &'static str {
    match scope {
        ActScope::Own => "for himself",
        ActScope::Team => "for those who report to him",
        ActScope::All => "for everybody",
    }
}

fn guardrails(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let texts = |pack: &Pack| -> BTreeMap<String, String> {
        let texts = pack.guardrails.texts().iter();
        texts.map(|(place, text)| (text.split_whitespace().collect::<Vec<_>>().join(" "), place.clone())).collect()
    };
    let (old, new) = (texts(before), texts(after));
    for (text, place) in new.iter().filter(|(text, _)| !old.contains_key(*text)) {
        let told = [None, Some(text.clone())];
        let sentence = format!("A guardrail forbids more ({place}): {text}");
        changes.push(change(About::Guardrail, place.clone(), Direction::Narrower, told, sentence));
    }
    for (text, place) in old.iter().filter(|(text, _)| !new.contains_key(*text)) {
        let told = [Some(text.clone()), None];
        let sentence = format!("A guardrail is gone ({place}): {text}");
        changes.push(change(About::Guardrail, place.clone(), Direction::Wider, told, sentence));
    }
}

fn exceptions(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let by_role = |pack: &Pack| -> BTreeMap<String, (String, String)> {
        let each = pack.broad.iter();
        each.map(|one| {
            let words = format!("until {}, approved by {}: {}", one.expires, one.approved_by, one.reason);
            (one.role.clone(), (one.expires.clone(), words))
        })
        .collect()
    };
    let (old, new) = (by_role(before), by_role(after));
    let roles: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for role in roles {
        let (was, is) = (old.get(role), new.get(role));
        if was == is {
            continue;
        }
        let ends = |side: Option<&(String, String)>| side.map(|(ends, _)| ends.clone());
        let direction = match ends(was).cmp(&ends(is)) {
            std::cmp::Ordering::Less => Direction::Wider,
            std::cmp::Ordering::Greater => Direction::Narrower,
            std::cmp::Ordering::Equal => Direction::Otherwise,
        };
        let told = [was, is].map(|side| side.map(|(_, words)| words.clone()));
        let sentence = match &told[1] {
            Some(words) => {
                format!("{} has an exception that opens every kind of information, {words}.", the_upper(role))
            }
            None => format!("The exception of {} is gone.", the(role)),
        };
        changes.push(change(About::Exception, role.clone(), direction, told, sentence));
    }
}

fn whole(before: &Pack, after: &Pack, changes: &mut Vec<Change>) {
    let breadth = |pack: &Pack| match pack.relationships {
        Relationships::Resolved => (0, "looked up in the record system"),
        Relationships::Asserted => (1, "asserted by the caller's tool"),
        Relationships::Assumed => (2, "assumed for everybody"),
    };
    let ((was, from), (is, to)) = (breadth(before), breadth(after));
    if was != is {
        let direction = if was < is { Direction::Wider } else { Direction::Narrower };
        let sentence = format!("Relationships are {to}; before, {from}.");
        let told = [Some(from.to_owned()), Some(to.to_owned())];
        changes.push(change(About::Pack, "relationships".to_owned(), direction, told, sentence));
    }
    let criteria = |pack: &Pack| pack.criteria.join("; ");
    for (what, was, is, words) in [
        ("owner", before.owner.clone(), after.owner.clone(), "The owner of the pack is"),
        ("criteria", criteria(before), criteria(after), "Roles are designed by these criteria:"),
    ] {
        if was != is {
            let sentence = format!("{words} {is}; before: {was}.");
            let told = [Some(was), Some(is)];
            changes.push(change(About::Pack, what.to_owned(), Direction::Otherwise, told, sentence));
        }
    }
    for ((name, was), (_, is)) in before.desk.named().into_iter().zip(after.desk.named()) {
        if was != is {
            // The later an extension may be asked for, the narrower.
            let wider = if name == "extension_last_part" { is < was } else { was < is };
            let direction = if wider { Direction::Wider } else { Direction::Narrower };
            let sentence = format!("House rule of the desk: `{name}` is {is}; before: {was}.");
            changes.push(change(
                About::Pack,
                name.to_owned(),
                direction,
                [was, is].map(|one| Some(one.to_string())),
                sentence,
            ));
        }
    }
    let marked = |bits: u64, pack: &Pack| -> BTreeSet<String> {
        let each = pack.categories.iter().enumerate().filter(|(index, _)| bits & 1 << (index & 63) != 0);
        each.map(|(_, category)| category.name.clone()).collect()
    };
    let practice = [before.practice_patients.clone(), after.practice_patients.clone()];
    let mut sets = vec![("practice_patients", practice, "Emergencies are practised on the charts of:")];
    for (what, bits, words) in [
        (
            "coded_categories",
            [before.annotation.coded_categories, after.annotation.coded_categories],
            "Where a segment leaves codes, these kinds keep theirs:",
        ),
        ("not_phi", [before.annotation.not_phi, after.annotation.not_phi], "Nobody's PHI:"),
    ] {
        sets.push((what, [marked(bits[0], before), marked(bits[1], after)], words));
    }
    for (what, [was, is], words) in sets {
        if was != is {
            let direction = if was.is_subset(&is) {
                Direction::Wider
            } else if is.is_subset(&was) {
                Direction::Narrower
            } else {
                Direction::Otherwise
            };
            let [was, is] = [was, is].map(|names| names.into_iter().collect::<Vec<_>>().join(", "));
            let sentence = format!("{words} {is}; before: {was}.");
            changes.push(change(About::Pack, what.to_owned(), direction, [Some(was), Some(is)], sentence));
        }
    }
}
