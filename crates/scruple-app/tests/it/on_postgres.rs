//! The cases on PostgreSQL.

pub const ENGINE: scruple_store::Engine = scruple_store::Engine::Postgres;

#[path = "cases/access.rs"]
mod access;
#[path = "cases/directory.rs"]
mod directory;
#[path = "cases/drain.rs"]
mod drain;
#[path = "cases/feed.rs"]
mod feed;
#[path = "cases/links.rs"]
mod links;
#[path = "cases/race.rs"]
mod race;
#[path = "cases/seed.rs"]
mod seed;
#[path = "cases/years.rs"]
mod years;
