//! The cases on PostgreSQL.

pub const ENGINE: scruple_store::Engine = scruple_store::Engine::Postgres;

#[path = "cases/access.rs"]
mod access;
#[path = "cases/accounts.rs"]
mod accounts;
#[path = "cases/at_once.rs"]
mod at_once;
#[path = "cases/charts.rs"]
mod charts;
#[path = "cases/deputies.rs"]
mod deputies;
#[path = "cases/desk.rs"]
mod desk;
#[path = "cases/devices.rs"]
mod devices;
#[path = "cases/directory.rs"]
mod directory;
#[path = "cases/door.rs"]
mod door;
#[path = "cases/drain.rs"]
mod drain;
#[path = "cases/exceptions.rs"]
mod exceptions;
#[path = "cases/feed.rs"]
mod feed;
#[path = "cases/kinds.rs"]
mod kinds;
#[path = "cases/links.rs"]
mod links;
#[path = "cases/longer.rs"]
mod longer;
#[path = "cases/messages.rs"]
mod messages;
#[path = "cases/papers.rs"]
mod papers;
#[path = "cases/policies.rs"]
mod policies;
#[path = "cases/projects.rs"]
mod projects;
#[path = "cases/race.rs"]
mod race;
#[path = "cases/roster.rs"]
mod roster;
#[path = "cases/seed.rs"]
mod seed;
#[path = "cases/steps.rs"]
mod steps;
#[path = "cases/systems.rs"]
mod systems;
#[path = "cases/tasks.rs"]
mod tasks;
#[path = "cases/unused.rs"]
mod unused;
#[path = "cases/years.rs"]
mod years;
