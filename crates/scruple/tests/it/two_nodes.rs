//! Two nodes over one PostgreSQL: somebody leaves at the first, and the second refuses him, also while it cannot read the database.

use crate::node::{Machine, Node, config, eventually, issuer, serving, token};
use crate::postgres::{Programs, start};
use crate::rest::{Call, EVERY_SCOPE};
use crate::support::{World, entries_of};
use scruple_app::{SeedPerson, StoreKeys, seed_workforce};
use scruple_core::Clock as _;
use scruple_identity::Claims;
use scruple_seal::{RootKey, Secret, SystemRng};
use scruple_store::{Durability, Options, ShardId, Store};
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const READ: &str = "/fhir/Practitioner?_count=1";
/// A refusal comes within a second; a slow machine gets more, and no test measures time.
const SOON: Duration = Duration::from_secs(30);
const PEOPLE: [(&str, &str); 4] =
    [("ann.bill", "biller"), ("ben.bill", "biller"), ("cy.bill", "biller"), ("ada.min", "administrator")];

/// Stands between a node and the database until it is hung.
struct Relay {
    port: u16,
    is_hung: Arc<AtomicBool>,
}

impl Relay {
    fn before(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), is_hung: Arc::default() };
        let (server, is_hung) = (server.to_owned(), Arc::clone(&relay.is_hung));
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let to = TcpStream::connect(&server).unwrap();
                for (mut from, mut to) in [(from.try_clone().unwrap(), to.try_clone().unwrap()), (to, from)] {
                    let is_hung = Arc::clone(&is_hung);
                    std::thread::spawn(move || {
                        let mut bytes = [0; 16 << 10];
                        while let Ok(read @ 1..) = from.read(&mut bytes) {
                            while is_hung.load(Ordering::SeqCst) {
                                std::thread::park_timeout(Duration::from_millis(20));
                            }
                            if to.write_all(&bytes[..read]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        relay
    }
}

/// A server of its own, durable as a node asks for it.
struct Server {
    programs: Programs,
    folder: tempfile::TempDir,
    address: String,
}

impl Server {
    fn start() -> Option<Self> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new()
            .prefix("scruple-two-nodes-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let address = start(&programs, &folder.path().join("server"), "on").unwrap();
        Some(Self { programs, folder, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("server/data");
        let _ = self.programs.run("pg_ctl", &["stop", "--mode", "immediate", "--pgdata", &data.to_string_lossy()]);
    }
}

/// The people who are there before any node is, under the key that all nodes have.
async fn fill(address: &str, key: [u8; 32]) {
    let keys = StoreKeys::new(&RootKey::new(Secret::new(key)), Box::new(SystemRng)).unwrap();
    let store = Store::connect(Options::parse(address, Durability::Relaxed).unwrap(), Box::new(keys)).await.unwrap();
    store.migrate().await.unwrap();
    let now = Machine.now();
    let lease = store.acquire_shard(ShardId(900), "filling", now, now.plus_micros(60_000_000)).await.unwrap().unwrap();
    let seeds = PEOPLE.map(|(login, role)| SeedPerson { login, name: "Somebody", role, practitioners: &[] });
    seed_workforce(&store, &lease, &Machine, &mut SystemRng, &seeds).await.unwrap();
    store.close().await;
}

#[test]
fn who_leaves_at_one_node_is_refused_at_the_other_and_where_that_one_cannot_read() {
    let Some(server) = Server::start() else {
        println!("postgres: not run (no programs)");
        return;
    };
    let address = server.address.clone();
    let key = [11; 32];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&address, key));
    let (account, place) = address.trim_start_matches("postgres://").split_once('@').unwrap();
    let (host, name) = place.split_once('/').unwrap();
    let relay = Relay::before(host);
    let relayed = format!("postgres://{account}@127.0.0.1:{}/{name}", relay.port);

    let worlds = [World::new(), World::new()];
    let keys = issuer(&worlds[0], "jwks.json");
    std::fs::copy(worlds[0].path("jwks.json"), worlds[1].path("jwks.json")).unwrap();
    let serve = |world: &World, shard: u32, address: &str| {
        std::fs::create_dir_all(world.path("state")).unwrap();
        std::fs::write(world.path("state").join("root-key"), key).unwrap();
        let pack = world.pack(&["biller"]);
        std::fs::write(
            pack.join("console.csv"),
            "act,who,scope,note\npeople,administrator,all,\nend_access,administrator,all,\n",
        )
        .unwrap();
        let config = config(world, &pack, &format!("[store]\naddress = {address:?}\n"));
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("node = \"node-{shard}\"\nshard = {shard}\n{text}")).unwrap();
        Node::serve(world.command(serving(&config)))
    };
    let mut first = serve(&worlds[0], 1, &address);
    let mut second = serve(&worlds[1], 2, &relayed);

    // Who reads at either node, and who ends people's work at the first.
    let reads = |node: &Node, login: &str| node.get(READ, &token(&keys, login, "biller", "HPAYMT")).status;
    let claims = Claims {
        subject: "ada.min".to_owned(),
        client_id: "tests".to_owned(),
        roles: Vec::new(),
        purpose: None,
        lifetime_seconds: 3_600,
    };
    let admin = keys.issue_scoped(&claims, (EVERY_SCOPE, true), Machine.now(), &mut SystemRng).unwrap();
    let people = Call::get("/api/v1/people", &admin).ask(&first.console).is(200).json();
    let leaves = |login: &str| {
        let one = people["items"].as_array().unwrap().iter().find(|one| one["login"] == login).unwrap();
        let target = format!("/api/v1/people/{}/leave", one["id"].as_str().unwrap());
        Call { method: "POST", target: &target, token: Some(&admin), headers: &[], body: None }
            .ask(&first.console)
            .is(200);
    };
    for login in ["ann.bill", "ben.bill", "cy.bill"] {
        assert_eq!((reads(&first, login), reads(&second, login)), (200, 200), "{login}");
    }
    leaves("ann.bill");
    eventually("the refusal at the other node", SOON, || (reads(&second, "ann.bill") == 403).then_some(()));
    assert_eq!((reads(&first, "ann.bill"), reads(&second, "ben.bill")), (403, 200));

    // The second node no longer hears of anything: it stops to answer anybody, before long.
    relay.is_hung.store(true, Ordering::SeqCst);
    leaves("ben.bill");
    eventually("the end of the second node's knowledge", SOON, || (reads(&second, "ben.bill") == 503).then_some(()));
    assert_eq!((reads(&second, "cy.bill"), reads(&first, "cy.bill")), (503, 200));
    relay.is_hung.store(false, Ordering::SeqCst);
    eventually("the second node's return", SOON, || (reads(&second, "cy.bill") == 200).then_some(()));
    assert_eq!(reads(&second, "ben.bill"), 403);

    first.stops();
    second.stops();
    // Each entry of what happened stands in the ledger of the node where it did.
    for (world, left) in worlds.iter().zip([2, 0]) {
        let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
        let ended = entries.iter().filter(|entry| entry.to_string().contains("person_left")).count();
        assert_eq!(ended, left);
        world.run(["ledger", "verify"]).ends(0);
    }
}

/// Two nodes do not take one number, and no number is out of range.
#[test]
fn a_node_has_a_number_of_its_own() {
    let world = World::new();
    let (pack, _) = crate::node::with_a_biller(&world);
    let path = config(&world, &pack, "");
    let text = std::fs::read_to_string(&path).unwrap();
    for number in [0, 1_000] {
        std::fs::write(&path, format!("shard = {number}\n{text}")).unwrap();
        world.run(serving(&path)).ends(2).tells(&[&format!("`shard` is {number}"), "from 1 to 999"]);
    }
}
