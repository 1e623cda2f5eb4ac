//! An organisation as it is founded: drawn by its seed, written in one transaction.

use crate::draw::Draw;
use crate::error::{SimulateError, Sound, failed};
use crate::model::{Capacity, Given, Group, Model, Staff, StandIn};
use crate::node::World;
use crate::perform::{attributes, capacity, group_name, name};
use crate::rules::{BILLER, House, MANAGER, NURSE, PRIVACY, ROLES};
use scruple_core::{Clock as _, Id, Phi, Timestamp, new_id};
use scruple_flow::{Deputy, DeputyState, GrantRequest, NewGrant, NewPerson, Window};
use scruple_store::{
    Aggregate, NewDirectoryRecord, NewEvent, NewSession, Subjects, Tx, add_member, insert_deputy, insert_directory,
    insert_enrolment, insert_grant, insert_group, insert_person, insert_session, map_group, update_deputy,
    use_enrolment,
};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The first two are HR and who founded it: without them nobody could be told of.
const FOUNDERS: usize = 2;

/// Instants at which organisations begin: an ordinary day, the eve of a leap day, of a year, of a change of summer time.
const BEGINNINGS: [&str; 4] =
    ["2026-03-01T08:00:00Z", "2028-02-28T22:30:00Z", "2027-12-31T23:00:00Z", "2026-03-28T23:59:59Z"];

pub(crate) fn beginning(draw: &mut Draw) -> Sound<Timestamp> {
    let text = BEGINNINGS[draw.below(BEGINNINGS.len())];
    Timestamp::parse(text).map_err(|error| SimulateError::Failed { doing: "reading a date", why: error.to_string() })
}

/// Who is here at the beginning and holds what.
fn people(draw: &mut Draw, now: Timestamp, ids: &mut impl rand_core::Rng) -> Model {
    let count = FOUNDERS + 3 + draw.below(5);
    let house = House::draw(draw);
    let mut model = Model {
        house,
        people: Vec::new(),
        given: Vec::new(),
        charts: Vec::new(),
        asked: Vec::new(),
        reviews: Vec::new(),
        planned: Vec::new(),
        moved: Vec::new(),
        groups: Vec::new(),
        stand_ins: Vec::new(),
    };
    for person in 0..count {
        let manager = (person >= FOUNDERS && !draw.one_in(4)).then(|| draw.below(count)).filter(|one| *one != person);
        let invited_by = (person >= FOUNDERS && draw.one_in(2)).then(|| draw.below(count)).filter(|one| *one != person);
        let sessions = if draw.one_in(2) { vec![[u8::try_from(person).unwrap_or(0); 32]] } else { Vec::new() };
        model.people.push(Staff {
            id: new_id(now, ids),
            login: format!("canary7f-p{person}"),
            left: None,
            leave: None,
            department: draw.below(3),
            manager,
            invited_by: invited_by.into_iter().collect(),
            is_listed: true,
            sessions,
            last_words: None,
        });
        // One nurse, one manager and, mostly, somebody of the privacy office are there.
        let role = match person.checked_sub(FOUNDERS) {
            None => continue,
            Some(0) => NURSE,
            Some(1) => MANAGER,
            Some(2) => PRIVACY,
            Some(_) => [NURSE, NURSE, BILLER, MANAGER, PRIVACY][draw.below(5)],
        };
        let mut roles = BTreeSet::from([role]);
        if draw.one_in(3) {
            roles.insert(ROLES[draw.below(ROLES.len())]);
        }
        // Outsiders hold nothing.
        if person >= FOUNDERS + 3 && draw.one_in(6) {
            roles.clear();
        }
        for role in roles {
            let lasts = if draw.one_in(5) { HOUR * 9 } else { DAY * (20 + i64::from(draw.any() % 300)) };
            let id = new_id::<()>(now, ids).uuid();
            let involved = BTreeSet::from([person, 0, 1]);
            let until = now.plus_micros(lasts);
            model.given.push(Given {
                id,
                person,
                role,
                from: now,
                until,
                granted_at: now,
                involved,
                ended: None,
                version: 1,
            });
        }
    }
    for number in 0..draw.below(3) {
        let role = (!draw.one_in(3)).then(|| ROLES[draw.below(2)]);
        let members = (0..count).filter(|_| draw.one_in(2)).collect();
        let id = new_id::<()>(now.plus_micros(i64::try_from(number).unwrap_or(0)), ids).uuid();
        model.groups.push(Group { id, role, members, is_deleted: false });
    }
    for _ in 0..draw.below(3) {
        // Of the manager, of the privacy office, or of whoever is drawn.
        let (principal, deputy) = (FOUNDERS + 1 + draw.below(count - FOUNDERS - 1), draw.below(count));
        if principal == deputy {
            continue;
        }
        let is_accepted = !draw.one_in(4);
        model.stand_ins.push(StandIn {
            id: new_id::<()>(now, ids).uuid(),
            principal,
            deputy,
            capacity: Capacity::ALL[usize::from(draw.one_in(4))],
            from: now,
            until: now.plus_micros(HOUR * (1 + i64::from(draw.any() % 720))),
            is_accepted,
            is_ended: false,
            version: if is_accepted { 2 } else { 1 },
        });
    }
    model
}

/// Founds an organisation; answers with what then is.
pub(crate) async fn found(world: &World, draw: &mut Draw) -> Sound<Model> {
    let now = world.clock.now();
    let mut ids = draw.generator();
    let model = people(draw, now, &mut ids);
    let Some(node) = world.nodes.first() else {
        return Err(SimulateError::Failed { doing: "founding", why: "there is no node".to_owned() });
    };
    let store = failed("founding");
    let mut tx = node.store.begin().await.map_err(&store)?;
    let mut bodies = Vec::new();
    for (number, person) in model.people.iter().enumerate() {
        let login = person.login.parse().map_err(failed("founding"))?;
        let new = NewPerson { id: person.id, login, name: name(number), contact: None, created_at: now };
        insert_person(&mut tx, &new).await.map_err(&store)?;
        bodies.push(("person", person.id.uuid(), "person_added", json!({ "person": person.id.to_string() })));
    }
    write(&mut tx, &model, now, &mut ids).await?;
    for one in &model.given {
        let body = json!({
            "grant": one.id.to_string(),
            "person": model.people[one.person].id.to_string(),
            "role": one.role,
            "starts_at": one.from.micros(),
            "ends_at": one.until.micros(),
        });
        bodies.push(("grant", one.id, "role_granted", body));
    }
    let bodies: Vec<Told> =
        bodies.into_iter().map(|(kind, id, event, body)| (kind, id, event, body.to_string())).collect();
    let events: Vec<_> = bodies.iter().map(|told| event(told, now)).collect();
    tx.commit(&node.lease, &events).await.map_err(&store)?;
    Ok(model)
}

/// The kind and id of what an event is of, its own kind, and its facts.
type Told = (&'static str, Uuid, &'static str, String);

fn event<'a>((kind, id, event, body): &'a Told, at: Timestamp) -> NewEvent<'a> {
    NewEvent {
        id: Id::from_uuid(*id),
        aggregate: Aggregate::new(kind, Id::<()>::from_uuid(*id)),
        version: 1,
        at,
        kind: event,
        subjects: Subjects::none(),
        body: body.as_bytes(),
    }
}

/// What is told of the people, and what they hold.
async fn write(tx: &mut Tx, model: &Model, now: Timestamp, ids: &mut (dyn rand_core::Rng + Send)) -> Sound<()> {
    let store = failed("founding");
    for (number, person) in model.people.iter().enumerate() {
        let attributes = attributes(person.department, person.manager.map(|manager| model.people[manager].id));
        let document = Phi::new(Vec::new());
        let record = NewDirectoryRecord { person: person.id, attributes, document, at: now };
        insert_directory(tx, &record).await.map_err(&store)?;
        for by in &person.invited_by {
            let id = new_id(now, ids);
            let hash = [u8::try_from(number).unwrap_or(0); 32];
            let lasts = (now, now.plus_micros(HOUR));
            insert_enrolment(tx, id, (person.id, model.people[*by].id), hash, lasts).await.map_err(&store)?;
            use_enrolment(tx, id, now).await.map_err(&store)?;
        }
        for token_hash in &person.sessions {
            let (id, device, method) = (new_id(now, ids), "personal", "totp");
            let (person, token_hash) = (person.id, *token_hash);
            let session = NewSession { id, person, token_hash, device, method, device_id: None, at: now };
            insert_session(tx, &session).await.map_err(&store)?;
        }
    }
    for one in &model.given {
        let request = GrantRequest {
            id: Id::from_uuid(one.id),
            person: model.people[one.person].id,
            role: one.role.parse().map_err(failed("founding"))?,
            window: Window::new(one.from, one.until).map_err(failed("founding"))?,
            requested_by: model.people[0].id,
            justification: Phi::new("canary7f works here".to_owned()),
        };
        let grant = NewGrant::approved(request, model.people[1].id, now).map_err(failed("founding"))?;
        insert_grant(tx, &grant).await.map_err(&store)?;
    }
    for (number, group) in model.groups.iter().enumerate() {
        let id = Id::from_uuid(group.id);
        insert_group(tx, id, &group_name(number), None, now).await.map_err(&store)?;
        for member in &group.members {
            add_member(tx, id, model.people[*member].id, now).await.map_err(&store)?;
        }
        if let Some(role) = group.role {
            let role = role.parse().map_err(failed("founding"))?;
            map_group(tx, (id, 1), Some(&role), model.people[0].id, now).await.map_err(&store)?;
        }
    }
    for one in &model.stand_ins {
        let named = Deputy {
            id: Id::from_uuid(one.id),
            principal: model.people[one.principal].id,
            deputy: model.people[one.deputy].id,
            capacity: capacity(one.capacity),
            window: Window::new(one.from, one.until).map_err(failed("founding"))?,
            named_at: now,
            state: DeputyState::Named,
            version: 1,
        };
        insert_deputy(tx, &named).await.map_err(&store)?;
        if one.is_accepted {
            let accepted = Deputy { state: DeputyState::Accepted { at: now }, ..named };
            update_deputy(tx, &accepted, 1).await.map_err(&store)?;
        }
    }
    Ok(())
}
