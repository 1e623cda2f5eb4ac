//! Every kind of problem, planted in the shipped pack: it must be found in its file, on its line.

use crate::{changed, day, with};
use scruple_policy::{Act, ActScope, DeskRules, PackFiles, ReminderOf, Severity, check, read};

/// The line on which a text stands for the first time; 0 for none.
fn line_of(files: &PackFiles, file: &str, text: &str) -> usize {
    let whole = files.0.get(file).map_or("", String::as_str);
    whole.find(text).map_or(0, |at| whole[..at].matches('\n').count() + 1)
}

/// Checks a pack, and looks for a problem of this weight whose text has `what`, in `file`, on the line of `at`.
#[track_caller]
fn find(files: &PackFiles, severity: Severity, file: &str, at: &str, what: &str) {
    let line = if at.is_empty() { 0 } else { line_of(files, file, at) };
    assert!(at.is_empty() || line > 0, "`{at}` is not in {file}");
    let checked = check(files, day("2026-03-01"));
    let found = checked.problems.iter().any(|problem| {
        problem.file == file && problem.line == line && problem.what.contains(what) && problem.severity == severity
    });
    let all: String = checked.problems.iter().map(|problem| format!("{problem}\n")).collect();
    assert!(found, "no `{what}` at {file}:{line} in\n{all}");
    assert_eq!(checked.is_publishable(), severity != Severity::Error, "{all}");
    assert!(checked.problems.iter().all(|problem| !problem.advice.is_empty()), "{all}");
}

/// Replaces `from` by `to` and finds the error on the line of `to`.
#[track_caller]
fn plant(file: &str, from: &str, to: &str, what: &str) {
    find(&changed(file, from, to), Severity::Error, file, to.trim_start_matches('\n').lines().next().unwrap(), what);
}

const BILLER: &str = "roles/biller.toml";

#[test]
fn unknown_names_in_a_role() {
    plant(BILLER, "categories = [\"directory\"]", "categories = [\"directories\"]", "unknown category `directories`");
    plant(BILLER, "\"masked:header\"", "\"masked:headers\"", "unknown view `masked:headers`");
    plant(BILLER, "\"masked:header\"", "\"none\"", "unknown view `none`");
    plant(BILLER, "tasks = [\"statements\"]", "tasks = [\"statement\"]", "unknown task `statement`");
    plant(BILLER, "when = []", "when = [\"relation\"]", "unknown condition `relation`");
    plant(BILLER, "also = [\"REMITADV\"]", "also = [\"REMIT\"]", "unknown purpose `REMIT`");
    plant(BILLER, "risk_tier = \"medium\"", "risk_tiers = \"medium\"", "unknown field `risk_tiers`");
    plant("roles/researcher.toml", "timing = \"bucket\"", "timing = \"buckets\"", "unknown timing `buckets`");
    plant("profiles.toml", "timing = \"bucket\"", "timing = \"late\"", "unknown timing `late`");
}

#[test]
fn a_purpose_that_is_not_the_roles() {
    let permit = "categories = [\"schedule\"]\npurposes = [\"HPAYMT\"]";
    let line = "purposes = [\"TREAT\"]";
    let files = changed(BILLER, permit, &format!("categories = [\"schedule\"]\n{line}"));
    find(&files, Severity::Error, BILLER, line, "purpose `TREAT` is not the role's");
    let line = "purposes = [\"PAY\"]";
    let files = changed(BILLER, permit, &format!("categories = [\"schedule\"]\n{line}"));
    find(&files, Severity::Error, BILLER, line, "unknown purpose `PAY`");
}

#[test]
fn wildcards() {
    plant(BILLER, "categories = [\"directory\"]", "categories = [\"*\"]", "a wildcard");
    let permit = "categories = [\"schedule\"]\npurposes = [\"HPAYMT\"]";
    let files = changed(BILLER, permit, "categories = [\"schedule\"]\npurposes = [\"*\"]");
    find(&files, Severity::Error, BILLER, "purposes = [\"*\"]", "a wildcard");
    plant(BILLER, "also = [\"REMITADV\"]", "also = [\"*\"]", "a wildcard");
    plant("segment-by-role.csv", "auditor,none,none", "auditor,*,none", "a wildcard");
    plant("segment-by-role.csv", "\nauditor,none", "\n*,none", "a wildcard");
    plant("categories.csv", "\nbalance,", "\n*,", "a wildcard");
}

#[test]
fn tasks() {
    let permit = "view = \"full\"\ntasks = []";
    let files = changed(BILLER, "view = \"full\"\ntasks = [\"statements\"]", permit);
    find(&files, Severity::Error, BILLER, permit, "a permit without a task");
    let files = changed(BILLER, "status = \"answer", "gossip = \"tell\"\nstatus = \"answer");
    find(&files, Severity::Warning, BILLER, "gossip =", "no permit cites task `gossip`");
    plant(BILLER, "payments = \"post payments\"", "payments = \"\"", "task `payments` says nothing");
}

// The line of a permit is that of its `view`.
fn appended(file: &str, permit: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    files.0.get_mut(file).unwrap().push_str(&format!("\n[[permit]]\n{permit}"));
    files
}

#[test]
fn unreachable_permits() {
    let same = "view = \"full\" # again\ntasks = [\"claims\"]\ncategories = [\"coverage\"]\n";
    find(&appended(BILLER, same), Severity::Error, BILLER, "# again", "an unreachable permit");
    let narrower = "view = \"masked:payer\"\ntasks = [\"claims\"]\ncategories = [\"coverage\"]\nwhen = [\"relationship\", \"case_need\"]\n";
    find(&appended(BILLER, narrower), Severity::Error, BILLER, "masked:payer", "an unreachable permit");
    let partly = "view = \"full\"\ntasks = [\"claims\"]\ncategories = [\n\"vitals\",\n\"claims\", # here\n]\n";
    find(&appended(BILLER, partly), Severity::Error, BILLER, "# here", "`claims` is unreachable here");
    // Wider, or under fewer conditions, or for another purpose, is reachable.
    let wider = "view = \"full\"\ntasks = [\"claims\"]\ncategories = [\"schedule\"]\nwhen = [\"relationship\", \"case_need\"]\n";
    assert!(check(&appended(BILLER, wider), day("2026-03-01")).is_publishable());
}

#[test]
fn two_masks_of_one_cell() {
    let other = "view = \"masked:payer\"\ntasks = [\"claims\"]\ncategories = [\"claims\", \"schedule\", \"orders\"]\nwhen = [\"relationship\", \"case_need\"]\n";
    let files = appended("roles/auth_specialist.toml", &other.replace("[\"claims\"]\ncat", "[\"facts\"]\ncat"));
    find(
        &files,
        Severity::Error,
        "roles/auth_specialist.toml",
        "[\"claims\", \"schedule\", \"orders\"]",
        "none of them is the wider",
    );
    // Other purposes never meet.
    let apart =
        "view = \"masked:coded\"\ntasks = [\"claims\"]\ncategories = [\"schedule\"]\npurposes = [\"REMITADV\"]\n";
    let checked = check(&appended(BILLER, apart), day("2026-03-01"));
    assert!(!checked.problems.iter().any(|problem| problem.what.contains("the wider")), "{:?}", checked.problems);
}

#[test]
fn permits_of_nothing() {
    let permit = "view = \"full\"\ntasks = [\"claims\"]\ncategories = []";
    let named = "view = \"full\"\ntasks = [\"claims\"]\ncategories = [\"care_team\", \"encounter_admin\"]";
    find(&changed(BILLER, named, permit), Severity::Error, BILLER, permit, "a permit without a category");
    let none = "view = \"full\" # none\ntasks = [\"claims\"]\ncategories = [\"vitals\"]\npurposes = []\n";
    find(&appended(BILLER, none), Severity::Error, BILLER, "# none", "a permit without a purpose");
    let every = "view = \"full\"\ntasks = [\"claims\"]\ncategories = [\"vitals\"]\nwhen = []\n";
    find(&appended(BILLER, every), Severity::Warning, BILLER, "categories = [\"vitals\"]", "of every patient");
    let files = changed(BILLER, "also = [\"REMITADV\"]", "also = [\"REMITADV\", \"FRAUD\"]");
    // The shipped permits without `purposes` apply to it; with them named it opens nothing.
    assert!(check(&files, day("2026-03-01")).is_publishable());
}

#[test]
fn roles() {
    plant(
        BILLER,
        "defence = \"codes make the claim; prose does not; one account in the queue; documents go through the denials specialist with the payer's request number\"",
        "defence = \" \"",
        "no `defence`",
    );
    let files = with("roles/clown.toml", &PackFiles::embedded().0[BILLER]);
    find(&files, Severity::Error, "segment-by-role.csv", "", "role `clown` has no line");
    find(
        &with("roles/Clown.toml", &PackFiles::embedded().0[BILLER]),
        Severity::Error,
        "roles/Clown.toml",
        "",
        "no name of a role",
    );
    let mut files = PackFiles::embedded();
    files.0.remove(BILLER);
    find(&files, Severity::Error, "segment-by-role.csv", "", "role `biller` has no file");
}

#[test]
fn administrative_roles() {
    let file = "roles/auditor.toml";
    let full = "view = \"full\"\ntasks = [\"test\"]\ncategories = [\n\"id_name\",\n]\n";
    find(
        &appended(file, full),
        Severity::Error,
        file,
        "\"id_name\",",
        "the administrative role `auditor` sees `id_name` in full",
    );
    // Masked, or by a case of its own, it may.
    let by_case = full
        .replace("]\n", "]\nwhen = [\"relationship\", \"case_need\"]\n")
        .replace("[\"test\"]\nwhen = [\"relationship\", \"case_need\"]", "[\"test\"]");
    assert!(check(&appended(file, &by_case), day("2026-03-01")).is_publishable());
}

#[test]
fn masks() {
    plant(
        BILLER,
        "categories = [\"schedule\"]",
        "categories = [\"schedule\", \"id_name\"]",
        "masked:header shows nothing of `id_name`",
    );
    let manager = "roles/manager.toml";
    let files = changed(manager, "when = [\"counts_only\"]", "when = [\"relationship\"]");
    let line = "categories = [\"schedule\", \"encounter_admin\"]";
    find(&files, Severity::Error, manager, line, "masked:count shows nothing of `schedule`");
    plant("masks.csv", "coded,date,keep", "coded,date,keeps", "unknown function `keeps`");
    plant("masks.csv", "year,date,year", "year,instant,year", "`instant` does not fit `year`");
    plant("masks.csv", "zip3,Address.postalCode,zip3", "zip3,Address.postalcode,zip3", "does not fit");
    plant("masks.csv", "icon,Coding,listed:precautions", "icon,Coding,listed:precaution", "unknown function");
    plant("masks.csv", "header,*.docStatus,code", "header,*.docState,code", "does not fit");
    plant("masks.csv", "token,Identifier.value,token", "token,Identifier,token", "does not fit");
}

#[test]
fn elements_and_groups() {
    plant(
        "elements.csv",
        "Patient.active,id_birth_sex",
        "Patient.shoeSize,id_birth_sex",
        "FHIR R4 has no `Patient.shoeSize`",
    );
    plant("elements.csv", "\nPatient.active,id_birth_sex", "\nPatient.active,names", "unknown category `names`");
    find(
        &changed("elements.csv", "\nFlag,class,", "\nFlag.code,class,"),
        Severity::Error,
        "elements.csv",
        "",
        "`Flag` has no home",
    );
    plant(
        "groups.csv",
        "value[x];dataAbsentReason;interpretation;referenceRange,dataAbsent",
        "value[x];absentReason,dataAbsent",
        "FHIR R4 has no `Observation.absentReason`",
    );
    plant(
        "discriminators.csv",
        "Patient.identifier.type,default,default,id_national",
        "Patient.identifier.type,default,default,ids",
        "unknown category `ids`",
    );
    let files = changed(
        "elements.csv",
        "Observation.referenceRange.text,",
        "Observation.interpretation,balance,\nObservation.referenceRange.text,",
    );
    find(&files, Severity::Information, "groups.csv", "observation_value,", "its group with it");
}

#[test]
fn a_modifier_element_withheld_alone() {
    let line = "Condition.verificationStatus,balance,";
    let files =
        changed("elements.csv", "ClinicalImpression,diagnoses,", &format!("{line}\nClinicalImpression,diagnoses,"));
    find(
        &files,
        Severity::Error,
        "elements.csv",
        line,
        "`Condition.verificationStatus` would be withheld beside what it modifies",
    );
    // A mask that forgets a modifier of the types on whose home it is used.
    let files = changed("masks.csv", "payer,*.status,code,\n", "");
    find(&files, Severity::Error, "elements.csv", "Coverage.*,coverage", "`Coverage.status` would be withheld");
}

#[test]
fn approvals_and_the_console() {
    let line = "tier:low,role,manager,2160";
    plant("approvals.csv", line, "tier:huge,role,manager,2160", "`tier:huge` is no role and no tier");
    plant("approvals.csv", line, "clown,role,manager,2160", "`clown` is no role and no tier");
    plant("approvals.csv", line, "individual,role,manager,2160", "`individual` is no role and no tier");
    plant("approvals.csv", line, "tier:low,role,clown,2160", "`needs` names `clown`");
    plant("approvals.csv", line, "tier:low,role,,2160", "`needs` names ``");
    plant("approvals.csv", line, "tier:low,role,nurse;coder;biller;auditor;manager,2160", "`needs` names 5 people");
    plant("approvals.csv", line, "manager,patients,manager,2160", "`manager` would be given by those who have it");
    plant("approvals.csv", line, "tier:low,role,manager,0", "`hours` is `0`");
    plant("approvals.csv", line, "tier:low,role,manager,forever", "`hours` is `forever`");
    plant("approvals.csv", line, "tier:low,both,manager,2160", "`what` is `both`");
    plant("approvals.csv", line, "tier:low,role,manager+far,2160", "`needs` names `manager+far`");
    plant("approvals.csv", line, "tier:low,role,manager|clown,2160", "`needs` names `manager|clown`");
    plant(
        "approvals.csv",
        line,
        "tier:low,role,line_manager+other_unit,2160",
        "`needs` names `line_manager+other_unit`",
    );
    let line = "any,segment:hiv,privacy_officer";
    plant("approvals.csv", line, "any,segment:hive,privacy_officer", "`what` is `segment:hive`");
    plant("approvals.csv", line, "any,category:segment,privacy_officer", "`what` is `category:segment`");
    plant("approvals.csv", line, "any,patients,privacy_officer", "`what` is `patients`");
    let last = "any,segment:abuse_violence,privacy_officer";
    plant("approvals.csv", last, "any,segment:hiv,him_integrity", "`segment:hiv` stands twice");
    let many = "any,segment:hiv,him_integrity;coder;auditor";
    let line_of_low = "tier:low,patients,manager,72,24,no,";
    let what = "for all kinds of information 5 people agree";
    find(&changed("approvals.csv", line, many), Severity::Error, "approvals.csv", line_of_low, what);
    plant("approvals.csv", "tier:high,role,manager;", "tier:medium,role,manager;", "`tier:medium` stands twice");
    let plant_end = |to: &str, what: &str| {
        let files = changed(
            "approvals.csv",
            "it is asked for anew\",privacy_officer,48\n",
            &format!("it is asked for anew\"{to}"),
        );
        let place =
            format!("tier:low,role,manager,2160,72,no,\"a quarter; then it is asked for anew\"{}", to.trim_end());
        find(&files, Severity::Error, "approvals.csv", &place, what);
    };
    plant_end(",clown,48\n", "`backup` is `clown`");
    plant_end(",privacy_officer,72\n", "`escalate_hours` is none");
    plant_end(",privacy_officer,\n", "`escalate_hours` is none");
    let line = "reviews,privacy_officer,all";
    plant("console.csv", line, "reviews,clown,all", "`clown` is no role");
    plant("console.csv", line, "review,privacy_officer,all", "`act` is `review`");
    plant("console.csv", line, "reviews,privacy_officer,most", "`scope` is `most`");
    plant("console.csv", "requests,auditor,all", "requests,privacy_officer,own", "`privacy_officer` stands twice");
}

#[test]
fn a_kind_of_information_that_is_specially_protected_needs_one_more_who_agrees() {
    let pack = read(&PackFiles::embedded()).unwrap();
    let needs = |role: &str, kinds: Option<&[&str]>| {
        let kinds = kinds.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect());
        pack.approval_of(role, kinds.as_ref()).map(|rule| (rule.needs.join(" and "), rule.step_up))
    };
    let of = |text: &str, step_up| Some((text.to_owned(), step_up));
    assert_eq!(needs("nurse", Some(&["labs", "vitals"])), of("manager", false));
    assert_eq!(needs("nurse", Some(&["labs", "segment:hiv"])), of("manager and privacy_officer+outside_line", true));
    // Two kinds of one rule need him once, and all that the role has includes what is protected.
    let both = Some(["segment:hiv", "segment:sti"].as_slice());
    assert_eq!(needs("nurse", both), of("manager and privacy_officer+outside_line", true));
    assert_eq!(needs("nurse", None), of("manager and privacy_officer+outside_line", true));
    // Who is needed anyway is needed outside the line.
    let high = pack.roles.values().find(|role| role.risk_tier == "high" && !pack.kinds(&role.name, None).is_empty());
    let high = &high.unwrap().name;
    assert_eq!(needs(high, Some(&["labs"])), of("manager and privacy_officer", true));
    assert_eq!(needs(high, Some(&["segment:hiv"])), of("manager and privacy_officer+outside_line", true));
    assert_eq!(needs("individual", None), None);
    let kinds = pack.kinds("nurse", Some("TREAT"));
    assert_eq!(kinds["labs"], "Laboratory results and specimens");
    assert!(kinds.contains_key("segment:hiv") && !kinds.contains_key("segment:part2") && !kinds.contains_key("claims"));
    // What everybody sees is not asked for.
    assert!(!kinds.contains_key("directory"));
    assert!(pack.kinds("individual", None).is_empty() && pack.kinds("nurse", Some("HPAYMT")).is_empty());
}

#[test]
fn reminders_and_house_rules_of_the_desk() {
    plant("reminders.csv", "role,everyone,", "roles,everyone,", "`action` is `roles`");
    plant("reminders.csv", "role,everyone,", "role,clown,", "`clown` is no role and no tier");
    plant("reminders.csv", "role,tier:high,\"This", "role,everyone,\"This", "`everyone` stands twice");
    let files = changed("pack.toml", "extension_last_part = 4 ", "extension_last_part = 0 ");
    find(&files, Severity::Error, "pack.toml", "", "`extension_last_part` is 0");
    let pack = read(&PackFiles::embedded()).unwrap();
    let text = |action, role: &str| pack.reminder(action, role).unwrap();
    let (nurse, coder) = (text(ReminderOf::Role, "nurse"), text(ReminderOf::Role, "coder"));
    assert_eq!(nurse.sentences.len(), 2, "the action, and why the role has what it has");
    assert_ne!(nurse.id, coder.id);
    // An export has a text of its own, the same for every role.
    assert_eq!(text(ReminderOf::Export, "nurse"), text(ReminderOf::Export, "administrator"));
    assert!(text(ReminderOf::Export, "nurse").sentences[0].contains("leaves the console"));
    // Packs of before have no such file, no such table and no such columns.
    let mut files = PackFiles::embedded();
    files.0.remove("reminders.csv");
    assert_eq!(read(&files).unwrap().reminder(ReminderOf::Role, "nurse"), None);
    let head = files.0.get_mut("pack.toml").unwrap();
    *head = head.split("[desk]").next().unwrap().to_owned();
    assert_eq!(read(&files).unwrap().desk, DeskRules::default());
}

#[test]
fn what_stands_in_no_line_of_the_console_is_refused() {
    let pack = read(&PackFiles::embedded()).unwrap();
    let scope = |act: Act, roles: &[&str]| pack.console.scope(act, roles.iter().copied());
    assert_eq!(scope(Act::Access, &[]), Some(ActScope::Own));
    assert_eq!(scope(Act::People, &[]), None);
    assert_eq!(scope(Act::People, &["nurse"]), None);
    assert_eq!(scope(Act::People, &["manager"]), Some(ActScope::Team));
    assert_eq!(scope(Act::People, &["manager", "auditor"]), Some(ActScope::All));
    assert_eq!(scope(Act::Reviews, &["manager", "administrator", "everyone"]), None);
    // Who runs Scruple sees no record through it, and what gives nobody's approval is not given.
    assert!(!pack.roles.contains_key("administrator"));
    assert_eq!(pack.approval("individual", false), None);
    assert_eq!(pack.approval("administrator", true), None);
    assert_eq!(pack.approval("nurse", true).map(|line| line.needs.clone()), Some(vec!["manager".to_owned()]));
    assert!(pack.roles.values().filter(|role| !role.is_profile).all(|role| pack.approval(&role.name, false).is_some()));
    assert!(pack.may_declare("nurse") && !pack.may_declare("biller") && !pack.may_declare("individual"));
}

#[test]
fn inheritance_and_relationships() {
    plant("inheritance.csv", "*.basedOn,all", "*.basedOn,everything", "`passes` is `everything`");
    plant("inheritance.csv", "*.basedOn,all", "*.basedUpon,all", "`*.basedUpon` is no Reference");
    plant("inheritance.csv", "Task.focus,all", "Task.status,all", "`Task.status` is no Reference");
    plant("inheritance.csv", "Provenance.target,all", "Task.focus,source", "`Task.focus` stands twice");
    plant(
        "inheritance.csv",
        "*.patient,vip;employee_patient",
        "*.patient,vip;celebrity",
        "`passes` is `vip;celebrity`",
    );
    plant("relationships.csv", "nurse,0h..72h", "nurse,0..72h", "`0..72h` is no stretch of time");
    plant("relationships.csv", "nurse,0h..72h", "nurse,", "`` is no stretch of time");
    plant("relationships.csv", "0h..72h,no,\"ends 72 h", "0h..72h,perhaps,\"ends 72 h", "`panel` is `perhaps`");
    plant("relationships.csv", "social_worker,0h..72h,24h", "physician,0h..72h,24h", "role `physician` stands twice");
    plant("relationships.csv", "\nnurse,", "\nclown,", "role `clown` has no file");
    let mut files = PackFiles::embedded();
    files.0.remove("relationships.csv");
    find(&files, Severity::Error, "relationships.csv", "", "the file is missing");
}

#[test]
fn tables_and_files() {
    plant("segment-by-role.csv", "auditor,none,none", "auditor,non,none", "unknown word `non`");
    plant(
        "segment-words.csv",
        "consent,follow,part2_consent",
        "consent,follow,part2_consents",
        "unknown condition `part2_consents`",
    );
    let files = changed("conditions.csv", "gateway,not yet\noversight_task", "gateway,maybe\noversight_task");
    find(&files, Severity::Error, "conditions.csv", "gateway,maybe", "`enforced` is `maybe`");
    find(&with("exception.toml", ""), Severity::Error, "exception.toml", "", "no file of a pack");
    let mut files = PackFiles::embedded();
    files.0.remove("groups.csv");
    find(&files, Severity::Error, "groups.csv", "", "the file is missing");
    plant("pack.toml", "format = 1", "format = 2", "format 2 is not known");
    let files = changed("pack.toml", "not_phi = [\"directory\"]", "not_phi = [\"everything\"]");
    find(&files, Severity::Error, "pack.toml", "", "unknown category `everything`");
    plant("categories.csv", "\nbalance,", "\nbala-nce,", "no name of a category");
    plant("conditions.csv", "\nreferred,", "\nhas,", "no name of a condition");
}
