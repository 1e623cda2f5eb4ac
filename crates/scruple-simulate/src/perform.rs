//! A deed as the product is asked to do it.

use crate::deed::Deed;
use crate::model::{Capacity, Information, Model, Staff};
use crate::node::Node;
use rand_chacha::ChaCha20Rng;
use scruple_app::directory::{Directory, DirectoryError, GroupOrder, UserOrder};
use scruple_app::{Ask, Declaration, DeputyAsk, Desk, DeskError, Emergency, Longer, Narrower, Who};
use scruple_core::{Clock, Id, Phi, Timestamp};
use scruple_flow::directory::{Attributes, Presence};
use scruple_flow::{
    DeclaredReason, DeputyAs, EmergencyReason, Finding, InvalidKind, InvalidLogin, InvalidPatient, InvalidRole,
    KindCode, Kinds, PatientRef, RequestTask,
};
use std::collections::BTreeSet;

/// Why a deed was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Role(#[from] InvalidRole),
    #[error(transparent)]
    Patient(#[from] InvalidPatient),
    #[error(transparent)]
    Login(#[from] InvalidLogin),
    #[error(transparent)]
    Kind(#[from] InvalidKind),
}

impl Refused {
    /// With what was behind it.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }
}

/// What a use case is given beside the deed.
pub(crate) struct With<'a> {
    pub node: &'a Node,
    pub clock: &'a dyn Clock,
    pub ids: &'a mut ChaCha20Rng,
    pub model: &'a Model,
}

fn patient(number: usize) -> Result<PatientRef, InvalidPatient> {
    crate::model::patient(number).parse()
}

fn patients(numbers: &BTreeSet<usize>) -> Result<BTreeSet<PatientRef>, InvalidPatient> {
    numbers.iter().map(|number| patient(*number)).collect()
}

/// Kinds as the desk is told of them: `None` where none is named.
fn kinds(information: &Information) -> Result<Option<Kinds>, InvalidKind> {
    let Information::Named(named) = information else { return Ok(Some(Kinds::Whole)) };
    let codes: BTreeSet<KindCode> = named.iter().map(|kind| kind.parse::<KindCode>()).collect::<Result<_, _>>()?;
    Ok(Kinds::named(codes))
}

pub(crate) const fn capacity(capacity: Capacity) -> DeputyAs {
    match capacity {
        Capacity::Approver => DeputyAs::Approver,
        Capacity::Reviewer => DeputyAs::Reviewer,
    }
}

impl With<'_> {
    fn desk(&mut self) -> Desk<'_> {
        let Node { store, lease, .. } = self.node;
        Desk { store, lease, clock: self.clock, rng: self.ids, rules: &self.model.house }
    }

    fn directory(&mut self, by: usize) -> Directory<'_> {
        let Node { store, lease, .. } = self.node;
        Directory { store, lease, clock: self.clock, rng: self.ids, by: self.model.people[by].id }
    }

    fn who(&self, by: usize, stepped_up: bool) -> Who {
        Who { person: self.model.people[by].id, stepped_up }
    }

    /// Asks the product to do it.
    pub async fn perform(mut self, deed: &Deed) -> Result<(), Refused> {
        match deed {
            Deed::Submit { .. }
            | Deed::Longer { .. }
            | Deed::Approve { .. }
            | Deed::Deny { .. }
            | Deed::Cancel { .. }
            | Deed::Expire => self.request(deed).await,
            Deed::NameDeputy { by, deputy, capacity: of, starts_at, ends_at } => {
                let deputy = self.model.people[*deputy].id;
                let ask = DeputyAsk { deputy, capacity: capacity(*of), starts_at: *starts_at, ends_at: *ends_at };
                let who = self.who(*by, true);
                Ok(self.desk().name_deputy(who, ask).await.map(drop)?)
            }
            Deed::AcceptDeputy { by, stand_in, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.stand_ins[*stand_in].id));
                Ok(self.desk().accept_deputy(who, id, *version).await.map(drop)?)
            }
            Deed::EndDeputy { by, stand_in, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.stand_ins[*stand_in].id));
                Ok(self.desk().end_deputy(who, id, *version).await.map(drop)?)
            }
            Deed::Declare { by, role, patient: number, ends_at } => {
                let declaration = Declaration {
                    role: role.parse()?,
                    patient: patient(*number)?,
                    reason: DeclaredReason::Covering,
                    ends_at: *ends_at,
                    words: Phi::new("canary7f covers the ward".to_owned()),
                };
                let who = self.who(*by, true);
                Ok(self.desk().declare(who, declaration).await.map(drop)?)
            }
            Deed::Emergency { by, role, patient: number } => {
                let emergency = Emergency {
                    role: role.parse()?,
                    patient: patient(*number)?,
                    reason: EmergencyReason::TeamCalled,
                    words: Phi::new(String::new()),
                };
                let who = self.who(*by, true);
                Ok(self.desk().break_glass(who, emergency).await.map(drop)?)
            }
            Deed::EndChart { by, chart, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.charts[*chart].id));
                Ok(self.desk().end_elevation(who, id, *version).await.map(drop)?)
            }
            Deed::EndGiven { by, given, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.given[*given].id));
                Ok(self.desk().end_grant(who, id, *version).await.map(drop)?)
            }
            Deed::Tell { by, review, version, words } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.reviews[*review].id));
                Ok(self.desk().tell_review(who, id, *version, Phi::new(words.clone())).await.map(drop)?)
            }
            Deed::AskReader { by, review, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.reviews[*review].id));
                let words = Phi::new("canary7f what was it for".to_owned());
                Ok(self.desk().ask_reader(who, id, *version, words).await.map(drop)?)
            }
            Deed::Close { by, review, version, words } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.reviews[*review].id));
                let words = Phi::new(words.clone());
                Ok(self.desk().close_review(who, id, *version, Finding::Justified, words).await.map(drop)?)
            }
            _ => self.tell_directory(deed).await,
        }
    }

    async fn request(&mut self, deed: &Deed) -> Result<(), Refused> {
        match deed {
            Deed::Submit { by, person, role, patients: named, kinds: of, starts_at, ends_at, words } => {
                let ask = Ask {
                    person: Some(self.model.people[*person].id),
                    role: role.parse()?,
                    purpose: None,
                    patients: patients(named)?,
                    task: Some(RequestTask::Cover),
                    kinds: kinds(of)?,
                    starts_at: *starts_at,
                    ends_at: *ends_at,
                    justification: Phi::new(words.clone()),
                    ticket: Some("canary7f ticket".to_owned()),
                    acknowledged: None,
                };
                let who = self.who(*by, true);
                Ok(self.desk().submit(who, ask).await.map(drop)?)
            }
            Deed::Longer { by, request, ends_at, words } => {
                let longer = Longer { ends_at: *ends_at, justification: Phi::new(words.clone()), acknowledged: None };
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.asked[*request].id));
                Ok(self.desk().extend(who, id, longer).await.map(drop)?)
            }
            Deed::Approve { by, request, version, patients: named, kinds: of, ends_at, stepped_up } => {
                let narrower = Narrower {
                    patients: named.as_ref().map(patients).transpose()?,
                    kinds: of.as_ref().map(kinds).transpose()?.flatten(),
                    ends_at: *ends_at,
                    against: None,
                };
                let (who, id) = (self.who(*by, *stepped_up), Id::from_uuid(self.model.asked[*request].id));
                Ok(self.desk().approve(who, id, *version, narrower).await.map(drop)?)
            }
            Deed::Deny { by, request, version, words, stepped_up } => {
                let (who, id) = (self.who(*by, *stepped_up), Id::from_uuid(self.model.asked[*request].id));
                Ok(self.desk().deny(who, id, *version, Phi::new(words.clone())).await.map(drop)?)
            }
            Deed::Cancel { by, request, version } => {
                let (who, id) = (self.who(*by, true), Id::from_uuid(self.model.asked[*request].id));
                Ok(self.desk().cancel(who, id, *version).await.map(drop)?)
            }
            _ => Ok(self.desk().expire_requests().await.map(drop)?),
        }
    }

    async fn tell_directory(&mut self, deed: &Deed) -> Result<(), Refused> {
        let id = |person: usize| self.model.people[person].id;
        match deed {
            Deed::Replace { by, person, department, manager, active, on_leave, effective_at } => {
                let told = Presence { active: *active, on_leave: *on_leave };
                let order = self.order(*person, (*department, *manager), told, *effective_at)?;
                let person = id(*person);
                Ok(self.directory(*by).replace_user(person, None, &order).await.map(drop)?)
            }
            Deed::LeavesNow { by, person } => {
                let person = id(*person);
                Ok(self.directory(*by).leaves_now(person).await.map(drop)?)
            }
            Deed::Delete { by, person } => {
                let person = id(*person);
                Ok(self.directory(*by).delete_user(person, None).await.map(drop)?)
            }
            Deed::Create { by, person } => {
                let Staff { department, manager, .. } = self.model.people[*person];
                let told = Presence { active: Some(true), on_leave: None };
                let order = self.order(*person, (department, manager), told, None)?;
                Ok(self.directory(*by).create_user(&order).await.map(drop)?)
            }
            Deed::PlanLeave { by, person, starts_at } => {
                let person = id(*person);
                Ok(self.directory(*by).plan_leave(person, *starts_at).await.map(drop)?)
            }
            Deed::EndLeave { by, person } => {
                let person = id(*person);
                Ok(self.directory(*by).end_leave(person).await.map(drop)?)
            }
            Deed::ConfirmReturn { by, person } => {
                let person = id(*person);
                Ok(self.directory(*by).confirm_return(person).await.map(drop)?)
            }
            Deed::PlanMove { by, person, effective_at } => {
                let person = id(*person);
                Ok(self.directory(*by).plan_move(person, *effective_at).await.map(drop)?)
            }
            Deed::SettleMoves => Ok(self.directory(0).settle_moves().await.map(drop)?),
            Deed::Members { by, group, members } => {
                let members = members.iter().map(|member| id(*member)).collect();
                let order = GroupOrder { display: group_name(*group), external_id: None, members };
                let group = Id::from_uuid(self.model.groups[*group].id);
                Ok(self.directory(*by).replace_group(group, None, &order).await.map(drop)?)
            }
            Deed::MapGroup { by, group, role } => {
                let role = role.map(str::parse).transpose()?;
                let group = Id::from_uuid(self.model.groups[*group].id);
                Ok(self.directory(*by).map_group(group, role.as_ref(), &|_| true).await.map(drop)?)
            }
            Deed::DeleteGroup { by, group } => {
                let group = Id::from_uuid(self.model.groups[*group].id);
                Ok(self.directory(*by).delete_group(group, None).await.map(drop)?)
            }
            _ => Ok(()),
        }
    }

    fn order(
        &self,
        person: usize,
        (department, manager): (usize, Option<usize>),
        presence: Presence,
        effective_at: Option<Timestamp>,
    ) -> Result<UserOrder, InvalidLogin> {
        let staff = &self.model.people[person];
        Ok(UserOrder {
            login: staff.login.parse()?,
            name: name(person),
            contact: None,
            attributes: attributes(department, manager.map(|manager| self.model.people[manager].id)),
            presence,
            document: Phi::new(Vec::new()),
            effective_at,
        })
    }
}

pub(crate) fn name(person: usize) -> Phi<String> {
    Phi::new(format!("Name canary7f {person}"))
}

pub(crate) fn group_name(group: usize) -> Phi<String> {
    Phi::new(format!("Group canary7f {group}"))
}

pub(crate) fn attributes(department: usize, manager: Option<Id<scruple_flow::Person>>) -> Attributes {
    let department = Some(Phi::new(format!("Ward canary7f {department}")));
    Attributes { department, manager, ..Attributes::default() }
}
