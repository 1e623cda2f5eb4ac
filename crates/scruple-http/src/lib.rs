//! Listeners: TLS, request ids, limits, problem details, graceful stop.
//!
//! * [`Server`]: HTTP/1.1 and HTTP/2 over TCP or TLS for any hyper service, under [`Limits`].
//! * [`read_body`]: a request's body, bounded in bytes and time.
//! * [`RequestIds`]: an id for each request, never the client's.
//! * [`Problem`]: RFC 9457 answers; [`security_headers`]; [`health`]: `/healthz`, `/readyz`, `/metrics`.
//! * [`Networks`]: where a request comes from.
//!
//! It knows no domain: no FHIR, no callers, no routes but those of health. It logs no URL, no header and no body.

mod answers;
mod body;
mod guard;
mod headers;
pub mod health;
mod id;
mod limits;
mod meter;
mod networks;
mod panics;
mod problem;
mod server;
mod tls;

pub use answers::{Answers, ProblemAnswers, Refusal};
pub use body::{BodyError, Reply, read_body};
pub use headers::{STRICT_TRANSPORT_SECURITY, security_headers};
pub use id::{Request, RequestId, RequestIds};
pub use limits::Limits;
pub use networks::{InvalidNetwork, Network, Networks};
pub use panics::install_panic_hook;
pub use problem::{PROBLEM_JSON, Problem};
pub use server::{Counters, Counts, Peer, ServeReport, Server, ServerError};
pub use tls::{Tls, TlsError};
