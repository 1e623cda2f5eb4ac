//! Use cases, jobs, the drainer and the access cache; what is outside is a trait in [`ports`].
//!
//! What is here now:
//! * [`AccessCache`]: what each person holds, in memory, never older than the feed allows; [`select_role`] picks the one
//!   role that a request acts in.
//! * [`acting`]: somebody as a decision takes him, the same for whoever asks for one.
//! * [`SignIn`]: how somebody signed in, from which device and from where, judged by the pack; [`DeviceDesk`] takes what the
//!   management of devices tells.
//! * [`FeedFollower`]: tells the cache whose access has changed, and keeps it fresh.
//! * [`Drainer`]: takes committed events to the ledger, each exactly once.
//! * [`StoreKeys`]: seals the store's columns under keys of one root.
//! * [`Desk`]: access beyond a role, asked for, given, ended, looked at.
//! * [`charts`]: who opened a chart, and why: the index of the ledger, histories, logs of other systems.
//! * [`evidence`]: what stood at an instant, the same whenever it is asked for.
//! * [`Viewer`]: what somebody may read of requests, elevations, reviews and people.
//! * [`Roster`]: people by name, without opening every column for each search.
//! * [`Door`]: who is signed in to the console.
//! * [`message`]: what people are told outside of the console, once, and again until it is taken.
//! * [`link_practitioner`], [`unlink_practitioner`]: who a person is in the record system.
//! * [`directory`]: who is here, as HR tells it: joiners, movers, leaves, leavers, groups.
//! * [`policy`]: versions of the policy, their replay, what nobody uses, reviews of mappings.
//! * [`words`]: sentences for reasons that have a code.
//! * [`seed_workforce`]: persons, grants and links of a demo.
//!
//! What is deliberately not here: SQL (scruple-store), the log on disk (scruple-ledger), HTTP, and the reading of
//! configuration. Nothing here reads the machine's clock or generator: both are arguments. Waiting is bounded by tokio's
//! timers; what is decided never depends on them.

mod access;
mod bootstrap;
pub mod charts;
mod desk;
mod device;
pub mod directory;
mod door;
mod drain;
pub mod evidence;
mod exception;
mod feed;
pub mod guide;
pub mod limits;
mod link;
pub mod message;
pub mod policy;
pub mod ports;
mod record;
pub mod refusals;
mod roster;
mod sealer;
mod seed;
mod stop;
pub mod times;
mod viewer;
pub mod words;

pub use access::{
    AccessCache, AccessError, ActiveRole, Circumstances, Held, RoleError, Selected, SignIn, SignInRefused, acting,
    device_id, select_role,
};
pub use bootstrap::{BootstrapError, Bootstrapped, Newcomer, bootstrap};
pub use desk::{
    Alike, Ask, CaseAsk, CasePack, Change, Changed, ChartAsk, Declaration, Deputised, DeputyAsk, Desk, DeskError, Done,
    Emergency, Longer, NOT_SHOWN, Narrower, Opened, PaperAsk, Papers, ProjectAsk, Rules, STEPS_MAX, TaskAsk, Trained,
    UnmaskAsk, Who, approved_by, change_of, deputised, deputy_scope, extension_rule, open_projects, opened_by,
    steps_for,
};
pub use device::{DeviceDesk, Told};
pub use door::{
    Answer, Attempt, Door, DoorError, DoorKeys, ENROLMENT_HOURS, Enrolling, Entered, Errand, Named, Returned, SignedIn,
    Waiting,
};
pub use drain::{DrainError, DrainHandle, DrainState, Drainer, WaitError};
pub use exception::{EventLink, Exception, exception};
pub use feed::FeedFollower;
pub use link::{LinkChanged, LinkOrder, LinkOrderError, link_practitioner, unlink_practitioner};
pub use roster::Roster;
pub use sealer::StoreKeys;
pub use seed::{DEMO_APPROVER, DEMO_REQUESTER, SeedError, SeedPerson, Seeded, program_person, seed_workforce};
pub use viewer::{Page, PersonView, Spot, Viewer, Whose};
