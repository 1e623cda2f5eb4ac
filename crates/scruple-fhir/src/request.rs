//! The closed grammar of requests: which interactions there are, by method and path below the base. What does not fit is
//! refused before anything else is looked at.

use crate::dictionary::{TypeId, dictionary};
use crate::reference::is_id;

/// What is asked, by method and path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Interaction {
    /// `GET /metadata`.
    Capabilities,
    /// `GET /[type]/[id]`.
    Read {
        /// The type.
        resource_type: TypeId,
        /// The id, of the form of one.
        id: String,
    },
    /// `GET /[type]?...`.
    SearchByGet {
        /// The type.
        resource_type: TypeId,
    },
    /// `POST /[type]/_search`.
    SearchByPost {
        /// The type.
        resource_type: TypeId,
    },
    /// `GET /Patient/[id]/[type]?...`.
    SearchInCompartment {
        /// The patient's id.
        patient: String,
        /// The type.
        resource_type: TypeId,
    },
    /// `GET /Patient/[id]/$everything`.
    Everything {
        /// The patient's id.
        patient: String,
    },
    /// `GET /[type]/[id]/_history/[version]`.
    VersionRead {
        /// The type.
        resource_type: TypeId,
        /// The id.
        id: String,
        /// The version, of the form of an id.
        version: String,
    },
    /// `GET /[type]/[id]/_history`.
    History {
        /// The type.
        resource_type: TypeId,
        /// The id.
        id: String,
    },
    /// `POST /`.
    Batch,
}

/// Why a request is none that is served. It holds nothing of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unserved {
    /// The path has an empty part, a dot part, an escape, or a letter that no path of FHIR has.
    #[error("the path is malformed")]
    Path,
    /// No resource type of R4.
    #[error("the path names no resource type of FHIR R4")]
    Type,
    /// What stands behind the type is no id.
    #[error("the path holds no id: 1 to 64 of letters, digits, `-`, `.` and `_`")]
    Id,
    /// A write, or any other method.
    #[error("only GET, POST to `_search`, and batches of reads are served")]
    Method,
    /// Operations, compartments of others than patients, history and search of a type or of all.
    #[error("this interaction is not served")]
    Interaction,
}

impl Unserved {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Path => "path_malformed",
            Self::Type => "type_unknown",
            Self::Id => "id_malformed",
            Self::Method => "method_not_allowed",
            Self::Interaction => "interaction_not_supported",
        }
    }
}

/// Reads method and path (below the base, beginning with `/`).
///
/// # Errors
/// It is none of the interactions that are served.
pub fn parse(method: &str, path: &str) -> Result<Interaction, Unserved> {
    if !matches!(method, "GET" | "POST") {
        return Err(Unserved::Method);
    }
    let below = path.strip_prefix('/').ok_or(Unserved::Path)?;
    let parts: Vec<&str> = below.split('/').collect();
    if below.is_empty() {
        return if method == "POST" { Ok(Interaction::Batch) } else { Err(Unserved::Interaction) };
    }
    let is_plain = |part: &&str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'$');
        !part.is_empty() && !matches!(*part, "." | "..") && part.bytes().all(letters)
    };
    if !parts.iter().all(is_plain) {
        return Err(Unserved::Path);
    }
    let resource_type = |name: &str| dictionary().resource(name).ok_or(Unserved::Type);
    // An underscore is no letter of a FHIR id, and some servers have it all the same.
    let id_of = |text: &str| if is_id(text.as_bytes()) { Ok(text.to_owned()) } else { Err(Unserved::Id) };
    match (method, parts.as_slice()) {
        ("GET", ["metadata"]) => Ok(Interaction::Capabilities),
        (_, [operation, ..]) if operation.starts_with(['$', '_']) => Err(Unserved::Interaction),
        ("GET", [name]) => Ok(Interaction::SearchByGet { resource_type: resource_type(name)? }),
        ("POST", [name, "_search"]) => Ok(Interaction::SearchByPost { resource_type: resource_type(name)? }),
        ("GET", [name, id]) => {
            let resource_type = resource_type(name)?;
            if id.starts_with(['$', '_']) {
                return Err(Unserved::Interaction);
            }
            Ok(Interaction::Read { resource_type, id: id_of(id)? })
        }
        ("GET", ["Patient", id, "$everything"]) => Ok(Interaction::Everything { patient: id_of(id)? }),
        ("GET", [name, id, "_history"]) => {
            Ok(Interaction::History { resource_type: resource_type(name)?, id: id_of(id)? })
        }
        ("GET", [name, id, "_history", version]) => {
            let resource_type = resource_type(name)?;
            Ok(Interaction::VersionRead { resource_type, id: id_of(id)?, version: id_of(version)? })
        }
        ("GET", ["Patient", id, name]) if !name.starts_with(['$', '_']) => {
            let resource_type = resource_type(name)?;
            Ok(Interaction::SearchInCompartment { patient: id_of(id)?, resource_type })
        }
        ("POST", _) => Err(Unserved::Method),
        (_, [name, ..]) => resource_type(name).and(Err(Unserved::Interaction)),
        (_, []) => Err(Unserved::Path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_read_and_no_search_is_refused() {
        let check = |method: &str, path: &str, expected: &str| {
            let text = match parse(method, path) {
                Ok(Interaction::Capabilities) => "capabilities".to_owned(),
                Ok(Interaction::Read { resource_type, id }) => {
                    format!("read {} {id}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::SearchByGet { resource_type }) => {
                    format!("get {}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::SearchByPost { resource_type }) => {
                    format!("post {}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::SearchInCompartment { patient, resource_type }) => {
                    format!("of {patient} {}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::Everything { patient }) => format!("everything {patient}"),
                Ok(Interaction::VersionRead { resource_type, id, version }) => {
                    format!("version {} {id} {version}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::History { resource_type, id }) => {
                    format!("history {} {id}", dictionary().get(resource_type).name)
                }
                Ok(Interaction::Batch) => "batch".to_owned(),
                Err(unserved) => unserved.code().to_owned(),
            };
            assert_eq!(text, expected, "{method} {path}");
        };
        check("GET", "/metadata", "capabilities");
        check("GET", "/Patient/pat-0001", "read Patient pat-0001");
        check("GET", "/Patient", "get Patient");
        check("POST", "/Observation/_search", "post Observation");
        check("GET", "/Patient/1/Observation", "of 1 Observation");
        check("GET", "/Patient/1/$everything", "everything 1");
        check("GET", "/Observation/1/_history", "history Observation 1");
        check("GET", "/Observation/1/_history/2", "version Observation 1 2");
        check("POST", "/", "batch");
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/_history"),
            ("GET", "/_search"),
            ("GET", "/Patient/_history"),
            ("GET", "/Patient/$everything"),
            ("GET", "/$export"),
            ("GET", "/Patient/1/$lastn"),
            ("GET", "/Encounter/1/$everything"),
            ("GET", "/Encounter/1/Observation"),
            ("GET", "/Practitioner/1/Patient"),
            ("GET", "/Patient/1/Observation/2"),
            ("GET", "/Patient/1/_history/1/2"),
            ("POST", "/$graphql"),
            ("POST", "/_search"),
        ] {
            check(method, path, "interaction_not_supported");
        }
        for (method, path) in [
            ("PUT", "/Patient/1"),
            ("DELETE", "/Patient/1"),
            ("PATCH", "/Patient/1"),
            ("HEAD", "/Patient/1"),
            ("OPTIONS", "/Patient"),
            ("POST", "/Patient"),
            ("POST", "/Patient/$match"),
            ("get", "/Patient/1"),
        ] {
            check(method, path, "method_not_allowed");
        }
        for path in [
            "",
            "Patient/1",
            "//Patient",
            "/Patient//1",
            "/Patient/1/",
            "/Patient/1/../2",
            "/Patient/.",
            "/Patient/%31",
            "/Patient/1;x",
            "/Pati\u{e9}nt",
            "/Patient/a b",
            "/metadata/",
        ] {
            check("GET", path, "path_malformed");
        }
        check("GET", "/Nothing", "type_unknown");
        check("GET", "/patient/1", "type_unknown");
        check("GET", "/Patient.name/1", "type_unknown");
        check("GET", "/HumanName", "type_unknown");
        check("GET", "/Nothing/1/2", "type_unknown");
        check("GET", "/Patient/1/Nothing", "type_unknown");
        check("GET", "/Patient/a$b/_history", "id_malformed");
        check("GET", "/Patient/1/_history/a$", "id_malformed");
        check("GET", "/Patient/a_b", "read Patient a_b");
        check("GET", "/Patient/a$b", "id_malformed");
        check("GET", &format!("/Patient/{}", "1".repeat(65)), "id_malformed");
    }
}
