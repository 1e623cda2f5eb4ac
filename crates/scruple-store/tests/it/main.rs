//! The conformance suite: the same cases mounted twice, once per engine, and what compares the two.

#![expect(clippy::duplicate_mod, reason = "the cases are mounted once per engine")]

mod on_postgres;
mod on_sqlite;
mod postgres;
mod schema;
mod support;
