//! One store: Helios' backend over a database of its own, Helios' router over that, and how the two are filled.
//!
//! Resources go in by the backend's own `create`, which makes its search index. Helios then says that each is version 1 of
//! just now; what the file says of version and time is put in its place afterwards, in the columns from which Helios reads
//! them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use chrono::{DateTime, Utc};
use helios_persistence::backends::sqlite::{SqliteBackend, SqliteBackendConfig};
use helios_persistence::core::ResourceStorage;
use helios_persistence::{TenantContext, TenantId, TenantPermissions};
use helios_rest::{ServerConfig, create_app_with_config};
use rusqlite::{Connection, params};
use serde_json::Value;
use tokio::sync::RwLock;
use tower::ServiceExt;

use crate::{Any, BASE};

const TENANT: &str = "default";
/// Connections of a store: two requests at a time and one to spare.
const CONNECTIONS_MAX: u32 = 4;
/// The name under which Helios looks for the definitions of search parameters.
const SEARCH_PARAMETERS: &str = "search-parameters-r4.json";

/// What all stores share.
pub struct Setting {
    stores: PathBuf,
    data: PathBuf,
    port: u16,
    /// Stores made so far: none has the file of another, whenever that goes.
    made: AtomicU64,
}

impl Setting {
    /// Below a folder that is there for this program alone.
    pub fn new(folder: &Path, port: u16, search_parameters: Option<&Path>) -> Result<Self, Any> {
        let setting = Self { stores: folder.join("stores"), data: folder.join("data"), port, made: AtomicU64::new(0) };
        std::fs::create_dir_all(&setting.stores)?;
        std::fs::create_dir_all(&setting.data)?;
        if let Some(file) = search_parameters {
            std::fs::copy(file, setting.data.join(SEARCH_PARAMETERS))
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(setting)
    }
}

/// How a text was taken.
pub enum Filled {
    Whole,
    Wrong { line: usize, why: &'static str },
}

pub struct Store {
    backend: SqliteBackend,
    tenant: TenantContext,
    router: Router,
    /// Beside the backend's own connections: versions and times.
    columns: Mutex<Connection>,
    /// Requests share it; who fills the store has it alone.
    whole: RwLock<()>,
    file: PathBuf,
}

impl Drop for Store {
    fn drop(&mut self) {
        remove(&self.file);
    }
}

/// A database and what SQLite keeps beside it.
fn remove(file: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}

impl Store {
    /// An empty one.
    pub fn new(setting: &Setting, name: &str) -> Result<Self, Any> {
        let number = setting.made.fetch_add(1, Ordering::Relaxed);
        let file = setting.stores.join(format!("{number}.db"));
        let config = SqliteBackendConfig {
            max_connections: CONNECTIONS_MAX,
            data_dir: Some(setting.data.clone()),
            ..SqliteBackendConfig::default()
        };
        let backend = SqliteBackend::with_config(&file, config)?;
        backend.init_schema()?;
        let below = if name.is_empty() { String::new() } else { format!("/{name}") };
        let config = ServerConfig {
            base_url: format!("http://127.0.0.1:{}{below}{BASE}", setting.port),
            data_dir: Some(setting.data.clone()),
            default_tenant: TENANT.to_owned(),
            // What runs beside the answers, on a clock of its own.
            search_param_cache_ttl: 0,
            ui_enabled: false,
            sof_enabled: false,
            ..ServerConfig::default()
        };
        Ok(Self {
            router: create_app_with_config(backend.clone(), config),
            backend,
            tenant: TenantContext::new(TenantId::new(TENANT), TenantPermissions::full_access()),
            columns: Mutex::new(Connection::open(&file)?),
            whole: RwLock::new(()),
            file,
        })
    }

    /// Helios' own answer.
    pub async fn answer(&self, request: Request) -> Response {
        let _shared = self.whole.read().await;
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Makes the store hold the resources of some NDJSON and nothing else. Where a line is wrong it keeps what it held.
    pub async fn replace(&self, text: &str) -> Result<Filled, Any> {
        let resources = match resources(text) {
            Ok(resources) => resources,
            Err(wrong) => return Ok(wrong),
        };
        let _alone = self.whole.write().await;
        self.backend.purge_tenant_data(TENANT).await?;
        self.fill(resources).await
    }

    /// Adds the resources of some NDJSON.
    pub async fn add(&self, text: &str) -> Result<Filled, Any> {
        let resources = match resources(text) {
            Ok(resources) => resources,
            Err(wrong) => return Ok(wrong),
        };
        let _alone = self.whole.write().await;
        self.fill(resources).await
    }

    async fn fill(&self, resources: Vec<Resource>) -> Result<Filled, Any> {
        let version = SqliteBackendConfig::default().fhir_version;
        for resource in &resources {
            let made = self.backend.create(&self.tenant, &resource.kind, resource.value.clone(), version).await;
            if made.is_err() {
                return Ok(Filled::Wrong { line: resource.line, why: "Helios does not take it" });
            }
        }
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let change = columns.transaction()?;
        for table in ["resources", "resource_history"] {
            let mut set = change.prepare_cached(&format!(
                "UPDATE {table} SET version_id = COALESCE(?1, version_id), last_updated = COALESCE(?2, last_updated)
                 WHERE tenant_id = ?3 AND resource_type = ?4 AND id = ?5"
            ))?;
            for resource in &resources {
                let meta = |name: &str| resource.value.pointer(&format!("/meta/{name}"))?.as_str();
                let time = meta("lastUpdated").and_then(|text| DateTime::parse_from_rfc3339(text).ok());
                // As Helios writes it, so that texts compare as the times do.
                let time = time.map(|time| time.with_timezone(&Utc).to_rfc3339());
                set.execute(params![meta("versionId"), time, TENANT, resource.kind, resource.id])?;
            }
        }
        change.commit()?;
        Ok(Filled::Whole)
    }
}

struct Resource {
    kind: String,
    id: String,
    value: Value,
    line: usize,
}

/// The resources of some NDJSON; the last of those with one type and id.
fn resources(text: &str) -> Result<Vec<Resource>, Filled> {
    let mut resources: Vec<Resource> = Vec::new();
    let mut places = HashMap::new();
    for (at, line) in text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why| Filled::Wrong { line: at + 1, why };
        let value: Value = serde_json::from_str(line).map_err(|_| wrong("no JSON"))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(kind), Some(id)) = (text("resourceType"), text("id")) else {
            return Err(wrong("no resource with type and id"));
        };
        let resource = Resource { kind, id, value, line: at + 1 };
        let place = *places.entry((resource.kind.clone(), resource.id.clone())).or_insert(resources.len());
        match resources.get_mut(place) {
            Some(earlier) => *earlier = resource,
            None => resources.push(resource),
        }
    }
    Ok(resources)
}
