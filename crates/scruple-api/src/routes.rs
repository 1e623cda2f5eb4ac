//! The routes: path, method, and what each asks of whoever comes. The router is made of nothing else, and the tests walk it.

use scruple_policy::Act;

/// Scopes of access tokens.
pub(crate) const READ: &str = "scruple.read";
pub(crate) const WRITE: &str = "scruple.write";
pub(crate) const EVALUATE: &str = "scruple.evaluate";
pub(crate) const SEARCH: &str = "scruple.search";

/// What a route asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asks {
    /// Anybody may come: it tells the same to everyone.
    Nothing,
    /// A token of events that proves itself by its signature (RFC 8935).
    Signed,
    /// A token with this scope, of somebody who may do this.
    Caller {
        /// The scope.
        scope: &'static str,
        /// The act.
        act: Act,
    },
}

/// A route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{id}` for what varies.
    pub path: &'static str,
    /// What it asks.
    pub asks: Asks,
}

const fn route(method: &'static str, path: &'static str, scope: &'static str, act: Act) -> Route {
    Route { method, path, asks: Asks::Caller { scope, act } }
}

const fn open(method: &'static str, path: &'static str) -> Route {
    Route { method, path, asks: Asks::Nothing }
}

/// Every route.
pub const ROUTES: &[Route] = &[
    open("GET", "/.well-known/authzen-configuration"),
    open("GET", "/api/openapi.json"),
    Route { method: "POST", path: "/api/v1/security-events", asks: Asks::Signed },
    route("POST", "/access/v1/evaluation", EVALUATE, Act::Evaluate),
    route("POST", "/access/v1/evaluations", EVALUATE, Act::Evaluate),
    route("POST", "/access/v1/search/subject", SEARCH, Act::Evaluate),
    route("POST", "/access/v1/search/resource", SEARCH, Act::Evaluate),
    route("POST", "/access/v1/search/action", SEARCH, Act::Evaluate),
    route("GET", "/api/v1/access", READ, Act::Access),
    route("GET", "/api/v1/access/steps", READ, Act::Access),
    route("POST", "/api/v1/access/steps/{id}/acknowledge", WRITE, Act::Access),
    route("POST", "/api/v1/training", WRITE, Act::Admit),
    route("GET", "/api/v1/people/{id}/steps", READ, Act::People),
    route("GET", "/api/v1/unused-roles", READ, Act::Access),
    route("POST", "/api/v1/unused-roles/{id}/object", WRITE, Act::Access),
    route("POST", "/api/v1/unused-roles/{id}/decide", WRITE, Act::EndAccess),
    route("GET", "/api/v1/access-requests", READ, Act::Ask),
    route("POST", "/api/v1/access-requests", WRITE, Act::Ask),
    route("GET", "/api/v1/access-requests/{id}", READ, Act::Ask),
    route("POST", "/api/v1/access-requests/{id}/approve", WRITE, Act::Decide),
    route("POST", "/api/v1/access-requests/{id}/refuse", WRITE, Act::Decide),
    route("POST", "/api/v1/access-requests/{id}/withdraw", WRITE, Act::Ask),
    route("GET", "/api/v1/access-tasks", READ, Act::Ask),
    route("POST", "/api/v1/access-tasks", WRITE, Act::Ask),
    route("GET", "/api/v1/access-tasks/{id}", READ, Act::Ask),
    route("POST", "/api/v1/access-tasks/{id}/approve", WRITE, Act::Decide),
    route("POST", "/api/v1/access-tasks/{id}/refuse", WRITE, Act::Decide),
    route("POST", "/api/v1/access-tasks/{id}/begin", WRITE, Act::Ask),
    route("POST", "/api/v1/access-tasks/{id}/close", WRITE, Act::Ask),
    route("POST", "/api/v1/access-tasks/{id}/recording", WRITE, Act::Ask),
    route("POST", "/api/v1/access-tasks/{id}/unmask", WRITE, Act::Ask),
    route("POST", "/api/v1/access-tasks/{id}/end", WRITE, Act::Ask),
    route("POST", "/api/v1/tickets/close", WRITE, Act::Ask),
    route("POST", "/api/v1/access-requests/{id}/extend", WRITE, Act::Ask),
    route("GET", "/api/v1/reminders", READ, Act::Ask),
    route("GET", "/api/v1/deputies", READ, Act::Access),
    route("POST", "/api/v1/deputies", WRITE, Act::Access),
    route("POST", "/api/v1/deputies/{id}/accept", WRITE, Act::Access),
    route("POST", "/api/v1/deputies/{id}/end", WRITE, Act::Access),
    route("GET", "/api/v1/projects", READ, Act::Ask),
    route("POST", "/api/v1/projects", WRITE, Act::Ask),
    route("GET", "/api/v1/projects/{id}", READ, Act::Ask),
    route("POST", "/api/v1/projects/{id}/approve", WRITE, Act::Assess),
    route("POST", "/api/v1/projects/{id}/refuse", WRITE, Act::Assess),
    route("POST", "/api/v1/projects/{id}/withdraw", WRITE, Act::Ask),
    route("POST", "/api/v1/projects/{id}/end", WRITE, Act::Ask),
    route("GET", "/api/v1/elevations", READ, Act::Access),
    route("GET", "/api/v1/elevations/{id}", READ, Act::Access),
    route("POST", "/api/v1/elevations/{id}/end", WRITE, Act::Access),
    route("POST", "/api/v1/elevations/{id}/protected", WRITE, Act::Emergency),
    route("GET", "/api/v1/elevations/{id}/reads", READ, Act::Access),
    route("GET", "/api/v1/grants/{id}/reads", READ, Act::Access),
    route("POST", "/api/v1/grants/{id}/end", WRITE, Act::Access),
    route("GET", "/api/v1/emergency-reviews", READ, Act::Reviews),
    route("GET", "/api/v1/emergency-reviews/{id}", READ, Act::Reviews),
    route("POST", "/api/v1/emergency-reviews/{id}/close", WRITE, Act::Reviews),
    route("GET", "/api/v1/evidence", READ, Act::Exceptions),
    route("GET", "/api/v1/charts", READ, Act::Charts),
    route("POST", "/api/v1/charts", WRITE, Act::Charts),
    route("GET", "/api/v1/charts/{id}", READ, Act::Charts),
    route("POST", "/api/v1/charts/{id}/cases", WRITE, Act::Charts),
    route("GET", "/api/v1/cases", READ, Act::Charts),
    route("GET", "/api/v1/cases/{id}", READ, Act::Charts),
    route("POST", "/api/v1/cases/{id}/ask", WRITE, Act::Charts),
    route("POST", "/api/v1/cases/{id}/decide", WRITE, Act::Charts),
    route("POST", "/api/v1/cases/{id}/letter", WRITE, Act::Charts),
    route("GET", "/api/v1/cases/{id}/answer", READ, Act::Access),
    route("POST", "/api/v1/cases/{id}/answer", WRITE, Act::Access),
    route("GET", "/api/v1/access/questions", READ, Act::Access),
    route("GET", "/api/v1/people", READ, Act::People),
    route("GET", "/api/v1/people/{id}", READ, Act::People),
    route("GET", "/api/v1/people/{id}/grants", READ, Act::People),
    route("POST", "/api/v1/people/{id}/leave", WRITE, Act::EndAccess),
    route("GET", "/api/v1/policy-versions", READ, Act::Roles),
    route("POST", "/api/v1/policy-versions", WRITE, Act::Propose),
    route("GET", "/api/v1/policy-versions/{id}", READ, Act::Roles),
    route("GET", "/api/v1/figures/approvers", READ, Act::Requests),
    route("GET", "/api/v1/figures/roles", READ, Act::Roles),
    route("GET", "/api/v1/figures/unreviewed", READ, Act::People),
    route("GET", "/api/v1/findings", READ, Act::People),
    route("GET", "/api/v1/people/{id}/account", READ, Act::People),
    route("POST", "/api/v1/people/{id}/account", WRITE, Act::Admit),
    route("POST", "/api/v1/people/{id}/account/review", WRITE, Act::Access),
    route("POST", "/api/v1/people/{id}/restore", WRITE, Act::EndAccess),
    route("GET", "/api/v1/people/{id}/endings", READ, Act::People),
    route("GET", "/api/v1/people/{id}/endings.csv", READ, Act::People),
    route("GET", "/api/v1/systems", READ, Act::Access),
    route("POST", "/api/v1/systems", WRITE, Act::Admit),
    route("POST", "/api/v1/systems/{id}", WRITE, Act::Admit),
    route("POST", "/api/v1/systems/{id}/read", WRITE, Act::Access),
    route("GET", "/api/v1/systems/{id}/rights", READ, Act::Access),
    route("POST", "/api/v1/system-rights/{id}/decide", WRITE, Act::Admit),
    route("GET", "/api/v1/drift", READ, Act::Access),
    route("POST", "/api/v1/drift/{id}/remove", WRITE, Act::Access),
    route("POST", "/api/v1/drift/{id}/except", WRITE, Act::Access),
    route("GET", "/api/v1/roles", READ, Act::Roles),
    route("GET", "/api/v1/roles/{id}", READ, Act::Roles),
];

/// The route of a method and a path as it was matched.
pub(crate) fn find(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}
