//! The schemas: which attributes a resource has, of which type, and who may change them. One table for what is told
//! (`/Schemas`), what is taken, and how a filter compares.
//!
//! What the organisation needs to decide on access is kept and nothing more: of the core schema addresses, photographs,
//! passwords, certificates and the like are not (minimum necessary; RFC 7643, 2: a provider need not support them).

use serde_json::{Value, json};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const WORKFORCE: &str = "urn:scruple:params:scim:schemas:extension:workforce:2.0:User";

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Flag,
    Reference,
    DateTime,
    Complex,
}

/// Who may change a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub is_multi: bool,
    pub is_required: bool,
    pub is_exact: bool,
    pub is_unique: bool,
    /// Shown where it is asked for by name alone (RFC 7643, 7: `returned` is `request`).
    pub is_on_request: bool,
    pub mutability: Mutability,
    pub sub: &'static [Self],
    pub canonical: &'static [&'static str],
    pub refers_to: &'static [&'static str],
    pub about: &'static str,
}

const fn of(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        is_multi: false,
        is_required: false,
        is_exact: false,
        is_unique: false,
        is_on_request: false,
        mutability: Mutability::ReadWrite,
        sub: &[],
        canonical: &[],
        refers_to: &[],
        about,
    }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    of(name, Kind::Text, about)
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::ReadOnly, ..attribute }
}

const fn immutable(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::Immutable, ..attribute }
}

const fn complex(name: &'static str, sub: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute { sub, ..of(name, Kind::Complex, about) }
}

const fn multi(attribute: Attribute) -> Attribute {
    Attribute { is_multi: true, ..attribute }
}

const fn reference(name: &'static str, refers_to: &'static [&'static str], about: &'static str) -> Attribute {
    Attribute { refers_to, is_exact: true, ..of(name, Kind::Reference, about) }
}

const KINDS_OF_CONTACT: &[&str] = &["work", "home", "other"];

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { is_required: true, is_unique: true, ..text("userName", "What the person signs in with.") },
    complex(
        "name",
        &[
            text("formatted", "The name as it is written."),
            text("familyName", "The family name."),
            text("givenName", "The given name."),
            text("middleName", "The middle names."),
            text("honorificPrefix", "What stands before the name."),
            text("honorificSuffix", "What stands after the name."),
        ],
        "The parts of the name.",
    ),
    text("displayName", "The name as it is shown."),
    text("title", "The title. Another one is a move."),
    text(
        "userType",
        "How the person belongs to the organisation: employee, medical_staff, affiliate, trainee, volunteer, agency, business_associate or service.",
    ),
    text("preferredLanguage", "The language that the person prefers."),
    text("locale", "The place, for the form of numbers and dates."),
    text("timezone", "The time zone."),
    of("active", Kind::Flag, "Whether the person is here. `false` is a leaver: out at once. `true` gives no access."),
    multi(complex(
        "emails",
        &[
            text("value", "The address."),
            Attribute { canonical: KINDS_OF_CONTACT, ..text("type", "What it is used for.") },
            of("primary", Kind::Flag, "Whether it is the first one to use."),
        ],
        "Addresses of e-mail.",
    )),
    multi(complex(
        "phoneNumbers",
        &[
            text("value", "The number."),
            Attribute {
                canonical: &["work", "home", "mobile", "fax", "pager", "other"],
                ..text("type", "What it is used for.")
            },
            of("primary", Kind::Flag, "Whether it is the first one to use."),
        ],
        "Numbers of telephones.",
    )),
    read_only(multi(complex(
        "groups",
        &[
            read_only(text("value", "The group's id.")),
            read_only(reference("$ref", &["Group"], "The group.")),
            read_only(text("display", "What the group is called.")),
            Attribute { canonical: &["direct"], ..read_only(text("type", "How the person is in it.")) },
        ],
        "The groups that the person is in.",
    ))),
];

const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    Attribute { is_unique: true, is_exact: true, ..text("employeeNumber", "The number at HR.") },
    text("costCenter", "The cost centre."),
    text("organization", "The organisation. Another one is a move."),
    text("division", "The division."),
    text("department", "The department or unit. Another one is a move."),
    complex(
        "manager",
        &[
            Attribute { is_exact: true, ..text("value", "The manager's id.") },
            reference("$ref", &["User"], "The manager."),
            read_only(text("displayName", "Not told.")),
        ],
        "Whom the person reports to.",
    ),
];

const WORKFORCE_ATTRIBUTES: &[Attribute] = &[
    of("onLeave", Kind::Flag, "Whether the person is on leave. `false` after `true` asks the manager to confirm."),
    Attribute {
        canonical: &["here", "leave_planned", "on_leave", "returning", "left"],
        is_on_request: true,
        ..read_only(text("standing", "How the person stands here."))
    },
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute { is_required: true, ..text("displayName", "What the group is called.") },
    multi(complex(
        "members",
        &[
            immutable(Attribute { is_exact: true, ..text("value", "The member's id.") }),
            immutable(reference("$ref", &["User"], "The member.")),
            Attribute { canonical: &["User"], ..immutable(text("type", "What the member is.")) },
        ],
        "Who is in the group. Coming into a group gives no access; coming out of one can take it.",
    )),
];

/// Attributes that every resource has. They stand in no schema (RFC 7643, 3.1).
const COMMON: &[Attribute] = &[
    read_only(Attribute { is_exact: true, ..text("id", "") }),
    Attribute { is_exact: true, ..text("externalId", "") },
    read_only(multi(reference("schemas", &["uri"], ""))),
    read_only(complex(
        "meta",
        &[
            read_only(Attribute { is_exact: true, ..text("resourceType", "") }),
            read_only(of("created", Kind::DateTime, "")),
            read_only(of("lastModified", Kind::DateTime, "")),
            read_only(reference("location", &["uri"], "")),
            read_only(Attribute { is_exact: true, ..text("version", "") }),
        ],
        "",
    )),
];

/// Attributes of the core schema that are not kept: a PATCH of them changes nothing.
pub const NOT_KEPT: &[&str] =
    &["nickName", "profileUrl", "password", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates"];

/// One schema.
#[derive(Debug)]
pub struct Schema {
    pub urn: &'static str,
    pub name: &'static str,
    pub about: &'static str,
    pub attributes: &'static [Attribute],
}

/// A type of resource.
#[derive(Debug)]
pub struct ResourceType {
    pub name: &'static str,
    /// Without the base, with a slash.
    pub endpoint: &'static str,
    pub about: &'static str,
    pub core: &'static Schema,
    pub extensions: &'static [&'static Schema],
}

static USER_SCHEMA: Schema =
    Schema { urn: USER, name: "User", about: "A person of the workforce, or a system.", attributes: USER_ATTRIBUTES };
static GROUP_SCHEMA: Schema = Schema { urn: GROUP, name: "Group", about: "A group.", attributes: GROUP_ATTRIBUTES };
static ENTERPRISE_SCHEMA: Schema = Schema {
    urn: ENTERPRISE,
    name: "EnterpriseUser",
    about: "Where a person works.",
    attributes: ENTERPRISE_ATTRIBUTES,
};
static WORKFORCE_SCHEMA: Schema = Schema {
    urn: WORKFORCE,
    name: "WorkforceUser",
    about: "Leaves, and how a person stands.",
    attributes: WORKFORCE_ATTRIBUTES,
};

pub static SCHEMAS: [&Schema; 4] = [&USER_SCHEMA, &GROUP_SCHEMA, &ENTERPRISE_SCHEMA, &WORKFORCE_SCHEMA];

pub static USERS: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    about: "Persons",
    core: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_SCHEMA, &WORKFORCE_SCHEMA],
};

pub static GROUPS: ResourceType =
    ResourceType { name: "Group", endpoint: "/Groups", about: "Groups", core: &GROUP_SCHEMA, extensions: &[] };

pub static TYPES: [&ResourceType; 2] = [&USERS, &GROUPS];

/// The attribute of this name, in any case.
pub fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl ResourceType {
    /// The attribute of the core schema, or one that every resource has.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.core.attributes, name).or_else(|| find(COMMON, name))
    }

    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions.iter().copied().find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }
}

impl Attribute {
    fn to_json(self) -> Value {
        let kind = match self.kind {
            Kind::Text => "string",
            Kind::Flag => "boolean",
            Kind::Reference => "reference",
            Kind::DateTime => "dateTime",
            Kind::Complex => "complex",
        };
        let mutability = match self.mutability {
            Mutability::ReadWrite => "readWrite",
            Mutability::ReadOnly => "readOnly",
            Mutability::Immutable => "immutable",
        };
        let mut value = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.is_multi,
            "description": self.about,
            "required": self.is_required,
            "mutability": mutability,
            "returned": if self.is_on_request { "request" } else { "default" },
        });
        if let Some(object) = value.as_object_mut() {
            if self.kind == Kind::Complex {
                object.insert("subAttributes".to_owned(), self.sub.iter().map(|sub| sub.to_json()).collect());
            } else {
                object.insert("uniqueness".to_owned(), if self.is_unique { "server" } else { "none" }.into());
            }
            if matches!(self.kind, Kind::Text | Kind::Reference) {
                object.insert("caseExact".to_owned(), self.is_exact.into());
            }
            if !self.canonical.is_empty() {
                object.insert("canonicalValues".to_owned(), json!(self.canonical));
            }
            if !self.refers_to.is_empty() {
                object.insert("referenceTypes".to_owned(), json!(self.refers_to));
            }
        }
        value
    }
}

impl Schema {
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.urn,
            "name": self.name,
            "description": self.about,
            "attributes": self.attributes.iter().map(|attribute| attribute.to_json()).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.urn) },
        })
    }
}

impl ResourceType {
    pub fn to_json(&self, base: &str) -> Value {
        let extensions: Vec<_> =
            self.extensions.iter().map(|schema| json!({ "schema": schema.urn, "required": false })).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.about,
            "schema": self.core.urn,
            "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name) },
        })
    }
}
