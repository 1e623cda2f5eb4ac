//! The cases on SQLite.

pub const ENGINE: scruple_store::Engine = scruple_store::Engine::Sqlite;

#[path = "cases/accounts.rs"]
mod accounts;
#[path = "cases/alerts.rs"]
mod alerts;
#[path = "cases/approvers.rs"]
mod approvers;
#[path = "cases/charts.rs"]
mod charts;
#[path = "cases/commit.rs"]
mod commit;
#[path = "cases/connected.rs"]
mod connected;
#[path = "cases/deputies.rs"]
mod deputies;
#[path = "cases/devices.rs"]
mod devices;
#[path = "cases/directory.rs"]
mod directory;
#[path = "cases/elevations.rs"]
mod elevations;
#[path = "cases/feed.rs"]
mod feed;
#[path = "cases/grants.rs"]
mod grants;
#[path = "cases/groups.rs"]
mod groups;
#[path = "cases/holding.rs"]
mod holding;
#[path = "cases/idempotency.rs"]
mod idempotency;
#[path = "cases/jobs.rs"]
mod jobs;
#[path = "cases/keys.rs"]
mod keys;
#[path = "cases/leaves.rs"]
mod leaves;
#[path = "cases/links.rs"]
mod links;
#[path = "cases/mappings.rs"]
mod mappings;
#[path = "cases/moves.rs"]
mod moves;
#[path = "cases/outbox.rs"]
mod outbox;
#[path = "cases/packs.rs"]
mod packs;
#[path = "cases/papers.rs"]
mod papers;
#[path = "cases/persons.rs"]
mod persons;
#[path = "cases/projects.rs"]
mod projects;
#[path = "cases/requests.rs"]
mod requests;
#[path = "cases/reviews.rs"]
mod reviews;
#[path = "cases/sealed.rs"]
mod sealed;
#[path = "cases/settings.rs"]
mod settings;
#[path = "cases/sign_in.rs"]
mod sign_in;
#[path = "cases/steps.rs"]
mod steps;
#[path = "cases/tasks.rs"]
mod tasks;
#[path = "cases/unused.rs"]
mod unused;
#[path = "cases/uses.rs"]
mod uses;
