//! A second node is a connected system, by its SCIM 2.0: what is given there past the first one is found, removed and seen to be gone,
//! and who leaves here is out there too.

use crate::node::{Node, config, eventually, issuer, seed, serving};
use crate::rest::{Api, Call, EVERY_SCOPE};
use crate::search::find_in_folder;
use crate::support::{World, entries_of, shipped_pack};
use serde_json::{Value, json};
use std::time::Duration;

const SCIM_TOKEN: &str = "Zq7CANARY-a-token-of-the-warehouse-0123456789";
const PEOPLE: &[(&str, &str)] =
    &[("nia.nurse", "nurse"), ("pat.plain", "biller"), ("ines.vogt", "privacy_officer"), ("ola.lund", "administrator")];
/// The worker looks every two seconds; a slow machine gets more.
const SOON: Duration = Duration::from_secs(60);

/// The node that is the warehouse.
struct Warehouse(Node);

impl Warehouse {
    fn serve(world: &World) -> Self {
        std::fs::write(world.path("scim-token"), SCIM_TOKEN).unwrap();
        issuer(world, "jwks.json");
        let config = config(world, &shipped_pack(), "[scim]\ntoken_file = \"scim-token\"\n");
        Self(Node::serve(world.command(serving(&config))))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (target, text) = (format!("/scim/v2/{path}"), body.to_string());
        let headers = [("Content-Type", "application/scim+json")];
        let body = (!body.is_null()).then_some(text.as_str());
        let call = Call { method, target: &target, token: Some(SCIM_TOKEN), headers: &headers, body };
        let answer = call.ask(&self.0.console);
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
        if answer.status == 204 { Value::Null } else { answer.json() }
    }

    fn user(&self, login: &str) -> String {
        let made = self.ask("POST", "Users", &json!({ "userName": login, "active": true }));
        made["id"].as_str().unwrap().to_owned()
    }

    fn add(&self, group: &str, user: &str) {
        let operation = json!({ "op": "add", "path": "members", "value": [{ "value": user }] });
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
        self.ask("PATCH", &format!("Groups/{group}"), &body);
    }

    fn members(&self, group: &str) -> Vec<String> {
        let group = self.ask("GET", &format!("Groups/{group}"), &Value::Null);
        let members = group["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn what_another_node_grants_past_this_one_is_found_removed_and_seen_to_be_gone() {
    let (there, here) = (World::new(), World::new());
    let mut warehouse = Warehouse::serve(&there);
    let [nia, pat] = ["nia.nurse", "pat.plain"].map(|login| warehouse.user(login));
    let wards = warehouse.ask("POST", "Groups", &json!({ "displayName": "Wards", "members": [{ "value": nia }] }));
    let wards = wards["id"].as_str().unwrap().to_owned();

    std::fs::write(here.path("warehouse-token"), SCIM_TOKEN).unwrap();
    let systems = format!(
        "[[system]]\ncode = \"warehouse\"\nkind = \"scim\"\nurl = \"http://{}/scim/v2\"\ntoken_file = {:?}\n",
        warehouse.0.console,
        here.path("warehouse-token")
    );
    std::fs::write(here.path("systems.toml"), systems).unwrap();
    seed(&here.path("state"), PEOPLE);
    let keys = issuer(&here, "jwks.json");
    let more = format!("[systems]\nfile = {:?}\n", here.path("systems.toml"));
    let node = Node::serve(here.command(serving(&config(&here, &shipped_pack(), &more))));
    let mut api = Api { node, keys };
    let ola = api.token("ola.lund", EVERY_SCOPE);
    let people = api.get("/api/v1/people", &ola).is(200).json();
    let id = |login: &str| {
        let one = people["items"].as_array().unwrap().iter().find(|one| one["login"] == login).unwrap();
        one["id"].as_str().unwrap().to_owned()
    };

    // By the command line: connected, read, its right decided on.
    std::fs::write(here.path("ola-token"), &ola).unwrap();
    let address = format!("http://{}", api.node.console);
    let admin = |words: &[&str]| {
        let common = ["--api", address.as_str(), "--token-file", "ola-token", "--json"];
        here.run(["admin", "systems"].iter().chain(words).chain(&common)).ends(0).json()
    };
    let system = admin(&["connect", "warehouse", "--kind", "scim", "--owner", &id("ines.vogt")]);
    let system = system["id"].as_str().unwrap().to_owned();
    eventually("the first reading", SOON, || {
        let listed = admin(&["list"]);
        assert!(listed.get("failure").is_none(), "{listed}");
        listed.get("read_at").cloned()
    });
    let right = admin(&["rights", &system]);
    assert_eq!((&right["name"], &right["meaning"]), (&json!("Wards"), &json!("undecided")));
    let decided = admin(&["decide", right["id"].as_str().unwrap(), "--version", "1", "--role", "nurse"]);
    assert_eq!(decided["role"], "nurse");
    let drift = |kind: &str, account: &str| {
        let all = api.get("/api/v1/drift?all=true", &ola).is(200).json();
        let all = all["items"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["kind"] == kind && (account.is_empty() || one["account"] == account))
    };
    eventually("the right is decided on", SOON, || drift("undecided", "").filter(|one| one["state"] == "closed"));
    assert!(drift("extra", "nia.nurse").is_none());

    // RB-07: a right that is given past this node.
    warehouse.add(&wards, &pat);
    admin(&["read", &system]);
    let extra = eventually("the drift", SOON, || drift("extra", "pat.plain"));
    assert_eq!(
        (&extra["state"], &extra["cause"], &extra["person"]),
        (&json!("open"), &json!("drift"), &json!(id("pat.plain")))
    );
    assert_eq!(warehouse.members(&wards).len(), 2, "nothing is removed without somebody");
    let nurse = api.token("nia.nurse", EVERY_SCOPE);
    let remove = format!("/api/v1/drift/{}/remove", extra["id"].as_str().unwrap());
    let version = [("If-Match", "\"1\"")];
    assert_eq!(api.post(&remove, &nurse, &Value::Null, &version).status, 404, "it is not hers to know of");
    assert_eq!(api.get("/api/v1/drift", &nurse).is(200).json()["items"], json!([]));
    assert_eq!(api.get("/api/v1/systems", &nurse).is(200).json()["items"], json!([]));
    let asked = admin(&["remove", extra["id"].as_str().unwrap(), "--version", "1"]);
    assert_eq!(asked["state"], "asked");
    let gone =
        eventually("the removal", SOON, || drift("extra", "pat.plain").filter(|one| one["state"] == "confirmed"));
    assert!(gone["read_at"].is_string() && gone["attempts"] == 1, "{gone}");
    assert_eq!(warehouse.members(&wards), std::slice::from_ref(&nia), "and nobody else's");

    // IL-11: who leaves here is out there, and the termination tells of it.
    let leave = format!("/api/v1/people/{}/leave", id("nia.nurse"));
    api.post(&leave, &ola, &Value::Null, &[]).is(200);
    let endings = format!("/api/v1/people/{}/endings", id("nia.nurse"));
    let ended = eventually("the termination", SOON, || {
        let ending = api.get(&endings, &ola).is(200).json()["items"][0].clone();
        let there =
            |list: &str| ending[list].as_array().unwrap().iter().filter(|one| one["system"] == "warehouse").count();
        assert_eq!(there("removed") + there("waiting") + there("failed"), 2, "{ending}");
        (there("removed") == 2).then_some(ending)
    });
    assert_eq!(ended["failed"], json!([]));
    assert_eq!(warehouse.members(&wards), Vec::<String>::new());
    let user = warehouse.ask("GET", &format!("Users/{nia}"), &Value::Null);
    assert_eq!(user["active"], false);
    let table = api.get(&format!("{endings}.csv"), &ola).is(200).text();
    assert_eq!(table.lines().filter(|line| line.ends_with(",warehouse")).count(), 2, "{table}");

    api.node.stops();
    warehouse.0.stops();
    let entries = entries_of(&here.run(["ledger", "show", "--json"]).ends(0));
    let bodies: Vec<String> = entries.iter().map(|entry| entry["entry"]["body"].to_string()).collect();
    for (event, count) in [("removal_confirmed", 3), ("right_decided", 1), ("system_connected", 1)] {
        assert_eq!(bodies.iter().filter(|body| body.contains(event)).count(), count, "{event}");
    }
    assert_eq!(find_in_folder(&here.path("state"), &["Zq7CANARY"]).len(), 0, "the token is kept nowhere");
}
