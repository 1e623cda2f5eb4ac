//! The Lens over the synthetic hospital.

use crate::support::{Console, PATIENTS, Page, text};
use http::StatusCode;
use scruple_core::{EntryBody, Relationship};
use scruple_hospital::canary;

/// Role and purpose of each that the demo shows.
const ROLES: [(&str, &str); 5] = [
    ("front_desk", "PATADMIN"),
    ("biller", "HPAYMT"),
    ("nurse", "TREAT"),
    ("physician", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
];

fn href(record: usize, item: usize, (role, purpose): (&str, &str)) -> String {
    format!("/lens?record={record}&item={item}&role={role}&purpose={purpose}")
}

#[tokio::test]
async fn the_showcase_patient_through_five_roles() {
    let console = Console::open();
    let mut lines = Vec::new();
    let start = console.page(&href(0, 0, ROLES[0])).await;
    lines.extend(start.texts("h1"));
    for kind in
        ["Patient", "Coverage", "Encounter", "Condition", "Observation", "DocumentReference", "Claim", "Appointment"]
    {
        let part = start.part(kind);
        let item: usize = part.split("item=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        for role in ROLES {
            let page = console.page(&href(0, item, role)).await;
            lines.extend(page.texts(".sentence"));
            lines.extend(page.texts(".refused p:not(.soft)").into_iter().map(|why| format!("  {why}")));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn each_element_of_the_patient_says_why() {
    let console = Console::open();
    let page = console.page(&href(1, 0, ROLES[1])).await;
    let lines: Vec<String> = page
        .all(".section")
        .into_iter()
        .map(|section| {
            let one = |selector: &str| {
                let selector = scraper::Selector::parse(selector).unwrap();
                section.select(&selector).map(text).next().unwrap_or_default()
            };
            format!("{} {} | {} | {}", one(".name"), one(".nth"), one(".why .mark"), one(".because"))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(page.all(".why").iter().all(|why| why.attr("open").is_none()));
}

#[tokio::test]
async fn what_a_role_gets_holds_no_canary_that_the_policy_withholds() {
    let console = Console::open();
    let start = console.page(&href(PATIENTS, 0, ROLES[0])).await;
    let kinds: Vec<String> = start.texts("nav.parts ul a");
    let mut canaries = 0;
    let withheld = scraper::Selector::parse("td.c-seen.withheld").unwrap();
    for kind in kinds {
        let kind = kind.split(' ').next().unwrap();
        let page = console.page(&start.part(kind)).await;
        let is_canary = |text: &String| text.contains(canary::TOKEN) || text.contains(canary::TOKEN_BASE64);
        canaries += page.texts("td.c-whole").iter().filter(|text| is_canary(text)).count();
        for section in page.all(".section") {
            for cell in section.select(&withheld) {
                assert!(!is_canary(&text(cell)), "{kind}: {}", text(cell));
            }
        }
        if page.all(".refused").len() == 1 {
            let seen = page.texts("td.c-seen");
            assert!(!seen.iter().any(is_canary), "{kind} is withheld, and shows");
        }
        // Kinds that the front desk has nothing of.
        if ["Condition", "DocumentReference", "MedicationRequest", "DiagnosticReport"].contains(&kind) {
            assert_eq!(page.all(".refused").len(), 1, "{kind}");
        }
    }
    assert!(canaries > 100, "the whole record holds them: {canaries}");
    let patient = console.page(&href(PATIENTS, 0, ROLES[0])).await;
    let national = patient.all(".section").into_iter().filter(|section| text(*section).contains("Race, ethnicity"));
    for section in national {
        let cells = scraper::Selector::parse("td.c-seen").unwrap();
        let seen: String = section.select(&cells).map(text).collect();
        assert!(!seen.contains(canary::TOKEN), "{seen}");
    }
}

#[tokio::test]
async fn each_view_is_recorded_before_it_is_shown() {
    let console = Console::open();
    let page = console.page(&href(1, 0, ROLES[1])).await;
    let release = page.texts(".foot code")[0].clone();
    let both = format!("{}&role2=nurse&purpose2=TREAT", href(1, 0, ROLES[0]));
    console.page(&both).await;
    console.get("/lens?role=nobody").await;
    let recorded = console.recorded();
    assert_eq!(recorded.len(), 3, "three views; what is no role was never asked");
    let roles: Vec<&str> = recorded
        .iter()
        .map(|body| match body {
            EntryBody::Release { actor, decision, counts, bytes, .. } => {
                assert_eq!(actor.subject, "console:lens");
                assert_eq!(decision.relationship, Relationship::Assumed);
                assert_eq!((counts.read, counts.released), (1, 1));
                assert!(*bytes > 0);
                actor.role.as_str()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(roles, ["biller", "front_desk", "nurse"]);
    let EntryBody::Release { release: named, .. } = &recorded[0] else { panic!("no release") };
    assert_eq!(*named, release, "the page names its record");

    let withheld = console.page(&console.page(&href(0, 0, ROLES[0])).await.part("DocumentReference")).await;
    assert_eq!(withheld.all(".refused").len(), 1);
    let recorded = console.recorded();
    let Some(EntryBody::Release { counts, bytes, references, .. }) = recorded.last() else { panic!("no release") };
    assert_eq!((counts.released, *bytes, references.len()), (0, 0, 0), "a view of nothing is recorded too");
    assert_eq!(counts.withheld["policy"], 1);
}

#[tokio::test]
async fn the_form_leads_to_a_link_that_can_be_shared() {
    let console = Console::open();
    let answer = console.get("/lens?from=0&record=0&item=3&as=nurse.TREAT&and=").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "/lens?record=0&item=3&role=nurse&purpose=TREAT");
    let answer = console.get("/lens?from=0&record=2&item=3&as=nurse.TREAT&and=biller.HPAYMT").await;
    let link = "/lens?record=2&item=0&role=nurse&purpose=TREAT&role2=biller&purpose2=HPAYMT";
    assert_eq!(answer.header("location"), link, "another record begins with its first part");
    let page = console.page(link).await;
    assert_eq!(page.link("Link to this view"), link);
    assert_eq!(
        page.texts("option[selected]"),
        [
            "2: substance use in an emergency note",
            page_part(&page).as_str(),
            "Registered nurse for treatment",
            "Billing for payment"
        ]
    );
    assert_eq!(page.link("Show the first role alone"), "/lens?record=2&item=0&role=nurse&purpose=TREAT");
}

fn page_part(page: &Page) -> String {
    page.texts("#item option[selected]")[0].clone()
}

#[tokio::test]
async fn two_roles_stand_side_by_side() {
    let console = Console::open();
    let page = console.page(&format!("{}&role2=nurse&purpose2=TREAT", href(1, 0, ROLES[1]))).await;
    let heads = page.texts("table.record thead th");
    assert_eq!(
        heads,
        ["Element", "Whole record", "As Billing sees it for payment", "As Registered nurse sees it for treatment"]
    );
    assert_eq!(page.all(".sum").len(), 2);
    // Struck is what neither gets.
    let alone = console.page(&href(1, 0, ROLES[1])).await;
    assert!(page.all("del").len() < alone.all("del").len());
}

#[tokio::test]
async fn a_title_names_no_record() {
    let console = Console::open();
    let page = console.page(&href(0, 0, ROLES[1])).await;
    assert_eq!(page.texts("title"), ["Patient as Billing sees it · Scruple"]);
    for link in page.all("a[href]") {
        let href = link.attr("href").unwrap();
        assert!(!href.contains("pat-") && !href.contains("Vargas") && !href.contains("Elena"), "{href}");
    }
}

#[tokio::test]
async fn the_first_page_says_what_it_is() {
    let console = Console::open();
    let page = console.page("/").await;
    assert_eq!(page.texts(".top .note"), ["Synthetic record. Nobody in it exists."]);
    assert_eq!(page.texts(".near a[aria-current]"), ["Billing"]);
    assert!(page.texts(".foot")[0].contains("Each view is recorded"));
}

#[tokio::test]
async fn what_is_not_recorded_is_not_shown() {
    let console = Console::open();
    let page = console.page(&href(1, 0, ROLES[1])).await;
    let name = page.texts("td.c-seen .value").into_iter().find(|value| value.contains("-555-01")).unwrap_or_default();
    assert!(!page.all("td.c-seen").is_empty() && !name.is_empty());
    console.break_disk();
    let answer = console.get(&href(1, 0, ROLES[1])).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.body.contains(&name) && !answer.body.contains("c-seen"));
    assert!(answer.body.contains("The ledger does not record"));
}
