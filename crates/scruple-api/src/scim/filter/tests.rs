//! What is read, what is refused, and what matches.

use super::*;
use crate::scim::schema::{GROUPS, USERS};
use serde_json::json;

fn read(text: &str) -> String {
    fn said(filter: &Filter) -> String {
        match filter {
            Filter::And(left, right) => format!("({} & {})", said(left), said(right)),
            Filter::Or(left, right) => format!("({} | {})", said(left), said(right)),
            Filter::Not(inner) => format!("!{}", said(inner)),
            Filter::Present(path) => format!("{path}?"),
            Filter::Compare(path, operator, value) => format!("{path} {operator:?} {value}"),
            Filter::Within(path, inner) => format!("{path}[{}]", said(inner)),
        }
    }
    parse(text).map_or_else(|_| "refused".to_owned(), |filter| said(&filter))
}

#[test]
fn the_grammar_of_the_rfc_is_read_with_its_precedence() {
    for (text, expected) in [
        (r#"userName eq "bjensen""#, r#"userName Equal "bjensen""#),
        (r#"userName Eq "b""#, r#"userName Equal "b""#),
        (r#"name.familyName co "O'Malley""#, r#"name.familyName Contains "O'Malley""#),
        (
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName StartsWith "J""#,
        ),
        ("title pr", "title?"),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, r#"meta.lastModified Greater "2011-05-13T04:42:34Z""#),
        (r#"title pr and userType eq "E" or active eq true"#, r#"((title? & userType Equal "E") | active Equal true)"#),
        (
            r#"title pr or userType ne "E" and active eq false"#,
            r#"(title? | (userType NotEqual "E" & active Equal false))"#,
        ),
        (r#"a eq 1 AND (b le "x" OR c ew "y")"#, r#"(a Equal 1 & (b LessOrEqual "x" | c EndsWith "y"))"#),
        (r#"not (a pr) and b ge "1""#, r#"(!a? & b GreaterOrEqual "1")"#),
        (r#"emails[type eq "work" and value co "@x"]"#, r#"emails[(type Equal "work" & value Contains "@x")]"#),
        (r#"a eq "quoted \" and pr""#, r#"a Equal "quoted \" and pr""#),
        ("a eq null", "a Equal null"),
        ("notes pr", "notes?"),
        ("not pr", "not?"),
        ("a lt 3.5", "a Less 3.5"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}a pr{}", "(".repeat(FILTER_DEPTH_MAX + 1), ")".repeat(FILTER_DEPTH_MAX + 1));
    let many = vec!["a pr"; FILTER_TERMS_MAX + 1].join(" or ");
    let long = format!("a eq \"{}\"", "x".repeat(FILTER_BYTES_MAX));
    for text in [
        "",
        " ",
        "a",
        "a eq",
        "a eq b",
        "a is \"b\"",
        "a eq \"b",
        "(a pr",
        "a pr)",
        "a pr and",
        "and a pr",
        "a pr b pr",
        "not a pr",
        "a[b pr",
        "a[]",
        "a[b pr].c eq 1",
        "a eq {}",
        "a eq []",
        "a gt true",
        "a co null",
        "1a pr",
        ".a pr",
        "a eq \"b\" or or c pr",
        "a;b pr",
        &deep,
        &many,
        &long,
    ] {
        assert_eq!(read(text), "refused", "{text}");
    }
    assert_ne!(read(&vec!["a pr"; FILTER_TERMS_MAX].join(" or ")), "refused");
}

#[test]
fn values_are_compared_by_the_rules_of_their_attribute() {
    let user = json!({
        "id": "019ca869-5000-7000-8000-000000000001",
        "externalId": "HR-7a",
        "userName": "Ana.Sørensen",
        "active": false,
        "name": { "familyName": "Sørensen" },
        "emails": [
            { "type": "work", "value": "ana@clinic.example", "primary": true },
            { "type": "home", "value": "ana@home.example" },
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": "E7", "manager": { "value": "M1" } },
        "meta": { "resourceType": "User", "lastModified": "2026-03-01T08:00:00Z" },
    });
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (text, expected) in [
        (r#"userName eq "ANA.SØRENSEN""#, true),
        (r#"USERNAME eq "ana.sørensen""#, true),
        (r#"userName ne "ana.sørensen""#, false),
        (r#"externalId eq "hr-7a""#, false),
        (r#"externalId eq "HR-7a""#, true),
        (r#"userName sw "ana" and userName ew "SEN" and userName co ".""#, true),
        (r#"userName gt "ana" and userName lt "anb""#, true),
        ("active eq false", true),
        ("active eq true", false),
        ("active ne true", true),
        (r#"active eq "false""#, false),
        ("title pr", false),
        ("not (title pr)", true),
        (r#"title ne "x""#, true),
        (r#"title eq "x""#, false),
        ("title eq null", true),
        ("userName eq null", false),
        ("emails pr", true),
        (r#"emails co "HOME.example""#, true),
        (r#"emails.value eq "ana@home.example""#, true),
        (r#"emails[type eq "work" and value co "home"]"#, false),
        (r#"emails[type eq "home" and value co "home"]"#, true),
        (r#"emails[not (type eq "work")]"#, true),
        ("emails[primary eq true]", true),
        (r#"emails.type eq "fax""#, false),
        (r#"name.familyName eq "sørensen""#, true),
        (&format!(r#"{enterprise}:employeeNumber eq "E7""#), true),
        (&format!(r#"{enterprise}:employeeNumber eq "e7""#), false),
        (&format!(r#"{}:manager.value eq "M1""#, enterprise.to_uppercase()), true),
        (r#"employeeNumber eq "E7""#, false),
        (r#"meta.lastModified ge "2026-03-01T09:00:00+01:00""#, true),
        (r#"meta.lastModified gt "2026-03-01T08:00:00Z""#, false),
        (r#"meta.lastModified lt "nonsense""#, false),
        (r#"meta.resourceType eq "User""#, true),
        (r#"unknown eq "x" or unknown pr"#, false),
        (r#"urn:of:somebody:else:userName eq "x""#, false),
    ] {
        assert_eq!(matches(&USERS, &parse(text).unwrap(), &user), expected, "{text}");
    }
}

#[test]
fn an_index_is_asked_only_for_what_must_be_equal() {
    let asked = |text: &str, name: &str| must_equal(&USERS, &parse(text).unwrap(), name).map(str::to_owned);
    for (text, expected) in [
        (r#"userName eq "ana""#, Some("ana")),
        (r#"title pr and username eq "ana""#, Some("ana")),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ana""#, Some("ana")),
        (r#"title pr or userName eq "ana""#, None),
        (r#"not (userName eq "ana")"#, None),
        (r#"userName co "ana""#, None),
        (r#"userName.x eq "ana""#, None),
        ("userName eq true", None),
    ] {
        assert_eq!(asked(text, "userName").as_deref(), expected, "{text}");
    }
    assert_eq!(must_equal(&GROUPS, &parse(r#"displayName eq "N""#).unwrap(), "displayName"), Some("N"));
}
