//! Coverage and money: accounts, charges, claims and their answers, invoices, and the work queues of those who bill.

use super::{Chart, Visit, problem_code, staff_ref, to};
use crate::codes::{Code, HCPCS, INPATIENT, code, hl7};
use crate::json::{Json, arr, cents, dec, obj};
use crate::person::{Kin, Payer};
use crate::places::{HOSPITAL_ID, Place};
use crate::staff::by_id;
use crate::time::{DAY, HOUR, Moment};

/// What the plan said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Paid,
    Denied,
    /// Sent, no answer yet.
    Pending,
    /// Never sent to the plan: 164.522(a)(1)(vi).
    SelfPay,
}

/// A line of a bill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub service: Code,
    pub cents: i64,
}

const fn charge(service: Code, cents: i64) -> Charge {
    Charge { service, cents }
}

pub(crate) const CLINIC_VISIT: Charge =
    charge(code(HCPCS, "G0463", "Hospital outpatient clinic visit for assessment and management of a patient"), 18_500);
pub(crate) const OBSERVATION_CARE: Charge =
    charge(code(HCPCS, "G0378", "Hospital observation service, per hour"), 124_000);
pub(crate) const TREATMENT_PROGRAMME: Charge = charge(
    code(
        HCPCS,
        "H0020",
        "Alcohol and/or drug services; methadone administration and/or service (provision of the drug by a licensed program)",
    ),
    16_400,
);
pub(crate) const DRUG_COUNSELING: Charge =
    charge(code(HCPCS, "H0004", "Behavioral health counseling and therapy, per 15 minutes"), 7_800);
pub(crate) const DRUG_TEST: Charge = charge(
    code(HCPCS, "G0480", "Drug test(s), definitive, 1-7 drug class(es), including metabolite(s) if performed"),
    11_400,
);
pub(crate) const DEPRESSION_SCREEN: Charge =
    charge(code(HCPCS, "G0444", "Annual depression screening, 5 to 15 minutes"), 1_900);
pub(crate) const CEFTRIAXONE_CHARGE: Charge =
    charge(code(HCPCS, "J0696", "Injection, ceftriaxone sodium, per 250 mg"), 1_250);
pub(crate) const MIFEPRISTONE_CHARGE: Charge = charge(code(HCPCS, "S0190", "Mifepristone, oral, 200 mg"), 9_000);
pub(crate) const CRITICAL_CARE: Charge =
    charge(code(HCPCS, "G0390", "Trauma response team associated with hospital critical care service"), 245_000);

impl Chart<'_> {
    /// The Coverage of the patient's plan. Children are covered through a parent.
    pub(crate) fn cover(&mut self) {
        if !self.insured() {
            return;
        }
        let (payer, payer_name) = self.who.payer.organization();
        let (kind, display) = match self.who.payer {
            Payer::Commercial => ("PPO", "preferred provider organization policy"),
            Payer::Medicare => ("RETIRE", "retiree health program"),
            Payer::Medicaid | Payer::Uninsured => ("SUBSIDIZ", "subsidized health program"),
        };
        let member = format!(
            "{}{:09}",
            match self.who.payer {
                Payer::Commercial => "CSH",
                Payer::Medicare => "MBS",
                _ => "DCM",
            },
            self.who.number * 37 % 1_000_000_000
        );
        let child = self.who.kin.2 == Kin::Mother && self.who.payer == Payer::Commercial;
        let subscriber = if child { self.related() } else { self.patient() };
        let since = self.today().plus_days(-self.today().0.rem_euclid(365)).max(self.who.birth);
        let id = self.push("Coverage", "cov", obj! {
            "identifier": arr![
                obj! {
                    "type": hl7("v2-0203", "MB", "Member Number"), "system": format!("https://payers.example/{payer}"),
                    "value": member.clone(),
                },
            ],
            "status": "active",
            "type": Code { system: crate::codes::ACT_CODE, code: kind, display }.concept(),
            "policyHolder": subscriber.clone(),
            "subscriber": subscriber,
            "subscriberId": member,
            "beneficiary": self.subject(),
            "relationship": hl7(
                "subscriber-relationship", if child { "child" } else { "self" }, if child { "Child" } else { "Self" },
            ),
            "period": obj! { "start": since },
            "payor": arr![obj! { "reference": format!("Organization/{payer}"), "display": payer_name }],
            "class": arr![
                obj! {
                    "type": hl7("coverage-class", "group", "Group"),
                    "value": format!("GRP{:05}", self.who.number % 97 * 113), "name": "Employer group",
                },
                obj! { "type": hl7("coverage-class", "plan", "Plan"), "value": kind, "name": payer_name },
            ],
            "order": 1,
        });
        self.coverage = Some(id);
    }

    /// The account of a visit.
    pub(crate) fn account(&mut self, place: &Place, start: Moment, end: Option<Moment>) -> String {
        let coverage = self.coverage.clone();
        let guarantor = if self.age_at(start) < 18 { self.related() } else { self.patient() };
        self.push("Account", "acct", obj! {
            "identifier": arr![
                obj! {
                    "type": hl7("v2-0203", "AN", "Account number"), "system": "https://saguaro-valley.example/account",
                    "value": format!("A{}{:05}", self.who.number, start.date().0),
                },
            ],
            "status": if end.is_some_and(|end| end < self.now.plus(-60 * DAY)) { "inactive" } else { "active" },
            "type": Code { system: crate::codes::ACT_CODE, code: "PBILLACCT", display: "patient billing account" }.concept(),
            "name": format!("{} visit of {}", place.name, start.date()),
            "subject": arr![self.patient()],
            "servicePeriod": obj! { "start": start, "end": end },
            "coverage": coverage.map(|id| arr![obj! { "coverage": to("Coverage", &id), "priority": 1 }]),
            "owner": obj! {
                "reference": format!("Organization/{}", place.organization), "display": place.organization_name(),
            },
            "guarantor": arr![obj! { "party": guarantor, "onHold": false }],
        })
    }

    /// Charges of a visit, the claim, the plan's answer and what the patient owes.
    pub(crate) fn bill(&mut self, visit: &Visit, charges: &[Charge], answer: Answer) -> Option<String> {
        for line in charges {
            self.push(
                "ChargeItem",
                "chg",
                obj! {
                    "status": if answer == Answer::Pending { "billable" } else { "billed" },
                    "code": line.service.concept(),
                    "subject": self.patient(),
                    "context": visit.reference(),
                    "occurrenceDateTime": visit.start,
                    "performer": arr![obj! { "actor": staff_ref(visit.doctor) }],
                    "performingOrganization": to("Organization", visit.place.organization),
                    "quantity": obj! { "value": dec(1, 0) },
                    "priceOverride": money(line.cents),
                    "enterer": staff_ref(by_id("prac-coder-1")),
                    "enteredDate": visit.end.plus(2 * HOUR).min(self.now),
                    "account": arr![to("Account", &visit.account)],
                },
            );
        }
        let total: i64 = charges.iter().map(|line| line.cents).sum();
        let Some(coverage) = self.coverage.clone().filter(|_| answer != Answer::SelfPay) else {
            self.invoice(visit, charges, total, answer == Answer::SelfPay);
            return None;
        };
        let claim = self.claim(visit, charges, total, &coverage);
        let owed = match answer {
            Answer::Pending | Answer::SelfPay => {
                self.queue(
                    "prac-biller-1",
                    "fulfill",
                    "Submit claim and watch for the answer",
                    to("Claim", &claim),
                    visit.end,
                );
                return Some(claim);
            }
            Answer::Paid => total / 5,
            Answer::Denied => 0,
        };
        let response = self.respond(visit, &claim, total, owed, answer);
        self.explain(visit, charges, &claim, &response, (total, owed), answer);
        if answer == Answer::Denied {
            self.queue(
                "prac-denials-specialist-1",
                "fulfill",
                "Appeal the denial",
                to("ClaimResponse", &response),
                visit.end.plus(9 * DAY),
            );
        } else {
            self.invoice(visit, charges, owed, false);
        }
        Some(claim)
    }

    fn claim_kind(visit: &Visit) -> Json {
        if visit.class == INPATIENT {
            hl7("claim-type", "institutional", "Institutional")
        } else {
            hl7("claim-type", "professional", "Professional")
        }
    }

    fn lines(visit: &Visit, charges: &[Charge]) -> Vec<Json> {
        charges
            .iter()
            .zip(1..)
            .map(|(line, sequence): (&Charge, i64)| {
                obj! {
                    "sequence": sequence, "careTeamSequence": [1], "diagnosisSequence": [1],
                    "productOrService": line.service.concept(),
                    "servicedDate": visit.start.date(),
                    "locationReference": to("Location", visit.place.id),
                    "quantity": obj! { "value": dec(1, 0) },
                    "unitPrice": money(line.cents), "net": money(line.cents),
                    "encounter": arr![visit.reference()],
                }
            })
            .collect()
    }

    fn claim(&mut self, visit: &Visit, charges: &[Charge], total: i64, coverage: &str) -> String {
        let (payer, payer_name) = self.who.payer.organization();
        let created = visit.end.plus(2 * DAY).min(self.now);
        self.push(
            "Claim",
            "clm",
            obj! {
                "identifier": arr![
                    obj! {
                        "system": "https://saguaro-valley.example/claim",
                        "value": format!("C{}{:05}", self.who.number, visit.start.date().0),
                    },
                ],
                "status": "active",
                "type": Self::claim_kind(visit),
                "use": "claim",
                "patient": self.subject(),
                "billablePeriod": obj! { "start": visit.start, "end": visit.end },
                "created": created,
                "enterer": staff_ref(by_id("prac-biller-1")),
                "insurer": obj! { "reference": format!("Organization/{payer}"), "display": payer_name },
                "provider": obj! {
                    "reference": format!("Organization/{}", visit.place.organization),
                    "display": visit.place.organization_name(),
                },
                "priority": hl7("processpriority", "normal", "Normal"),
                "payee": obj! { "type": hl7("payeetype", "provider", "Provider") },
                "facility": to("Location", visit.place.id),
                "careTeam": arr![obj! { "sequence": 1, "provider": staff_ref(visit.doctor), "responsible": true }],
                "diagnosis": arr![obj! {
                    "sequence": 1, "diagnosisCodeableConcept": obj! { "coding": arr![visit.problem.icd.coding()] },
                    "type": arr![hl7("ex-diagnosistype", "principal", "Principal Diagnosis")],
                }],
                "insurance": arr![obj! { "sequence": 1, "focal": true, "coverage": to("Coverage", coverage) }],
                "item": Self::lines(visit, charges),
                "total": money(total),
            },
        )
    }

    fn respond(&mut self, visit: &Visit, claim: &str, total: i64, owed: i64, answer: Answer) -> String {
        let (payer, payer_name) = self.who.payer.organization();
        let denied = answer == Answer::Denied;
        let amount = |kind: &'static str, display: &'static str, cents: i64| obj! { "category": hl7("adjudication", kind, display), "amount": money(cents) };
        self.push("ClaimResponse", "cres", obj! {
            "identifier": arr![
                obj! {
                    "system": "https://payers.example/claim-response",
                    "value": format!("R{}{:05}", self.who.number, visit.start.date().0),
                },
            ],
            "status": "active",
            "type": Self::claim_kind(visit),
            "use": "claim",
            "patient": self.patient(),
            "created": visit.end.plus(9 * DAY).min(self.now),
            "insurer": obj! { "reference": format!("Organization/{payer}"), "display": payer_name },
            "requestor": to("Organization", visit.place.organization),
            "request": to("Claim", claim),
            "outcome": "complete",
            "disposition": if denied { "Denied: medical necessity not shown for the diagnosis billed" } else { "Claim settled as per contract" },
            "total": arr![
                amount("submitted", "Submitted Amount", total),
                amount("benefit", "Benefit Amount", if denied { 0 } else { total - owed }),
            ],
            "payment": (!denied).then(|| obj! {
                "type": hl7("ex-paymenttype", "complete", "Complete"),
                "date": visit.end.plus(10 * DAY).min(self.now).date(), "amount": money(total - owed),
            }),
            "processNote": denied.then(
                || arr![
                    obj! {
                        "number": 1, "type": "display",
                        "text": "Send the note of the visit and the result that led to the order.",
                    },
                ],
            ),
        })
    }

    fn explain(
        &mut self,
        visit: &Visit,
        charges: &[Charge],
        claim: &str,
        response: &str,
        amounts: (i64, i64),
        answer: Answer,
    ) {
        let (payer, payer_name) = self.who.payer.organization();
        let (total, owed) = amounts;
        let denied = answer == Answer::Denied;
        let amount = |kind: &'static str, display: &'static str, cents: i64| obj! { "category": hl7("adjudication", kind, display), "amount": money(cents) };
        self.push("ExplanationOfBenefit", "eob", obj! {
            // Payers ship their own picture of the coverage inside the EOB.
            "contained": arr![obj! {
                "resourceType": "Coverage", "id": "coverage", "status": "active",
                "type": obj! { "text": payer_name },
                "subscriberId": format!("{:09}", self.who.number * 37 % 1_000_000_000),
                "beneficiary": self.subject(),
                "payor": arr![obj! { "display": payer_name }],
            }],
            "status": "active",
            "type": Self::claim_kind(visit),
            "use": "claim",
            "patient": self.subject(),
            "billablePeriod": obj! { "start": visit.start, "end": visit.end },
            "created": visit.end.plus(10 * DAY).min(self.now),
            "insurer": obj! { "reference": format!("Organization/{payer}"), "display": payer_name },
            "provider": obj! {
                "reference": format!("Organization/{}", visit.place.organization),
                "display": visit.place.organization_name(),
            },
            "claim": to("Claim", claim),
            "claimResponse": to("ClaimResponse", response),
            "outcome": "complete",
            "disposition": if denied { "Denied" } else { "Settled" },
            "careTeam": arr![obj! { "sequence": 1, "provider": staff_ref(visit.doctor), "responsible": true }],
            "diagnosis": arr![obj! { "sequence": 1, "diagnosisCodeableConcept": problem_code(&visit.problem) }],
            "insurance": arr![obj! { "focal": true, "coverage": obj! { "reference": "#coverage" } }],
            "item": charges.iter().zip(1..).map(|(line, sequence): (&Charge, i64)| obj! {
                "sequence": sequence, "productOrService": line.service.concept(), "servicedDate": visit.start.date(),
                "net": money(line.cents), "encounter": arr![visit.reference()],
                "adjudication": arr![amount("submitted", "Submitted Amount", line.cents)],
            }).collect::<Vec<Json>>(),
            "total": arr![
                amount("submitted", "Submitted Amount", total),
                amount("benefit", "Benefit Amount", if denied { 0 } else { total - owed }),
            ],
        });
    }

    fn invoice(&mut self, visit: &Visit, charges: &[Charge], owed: i64, self_pay: bool) {
        if owed == 0 {
            return;
        }
        self.push("Invoice", "inv", obj! {
            "identifier": arr![
                obj! {
                    "system": "https://saguaro-valley.example/invoice",
                    "value": format!("I{}{:05}", self.who.number, visit.start.date().0),
                },
            ],
            "status": if self_pay { "balanced" } else { "issued" },
            "type": obj! {
                "text": if self_pay { "Patient paid in full; not to be sent to the plan" } else { "Patient statement" },
            },
            "subject": self.patient(),
            "recipient": self.patient(),
            "date": visit.end.plus(14 * DAY).min(self.now),
            "issuer": to("Organization", HOSPITAL_ID),
            "account": to("Account", &visit.account),
            "lineItem": charges.iter().take(1).map(|line| obj! {
                "sequence": 1, "chargeItemCodeableConcept": line.service.concept(),
                "priceComponent": arr![obj! { "type": "base", "amount": money(owed) }],
            }).collect::<Vec<Json>>(),
            "totalNet": money(owed),
            "totalGross": money(owed),
        });
    }
}

pub(crate) fn money(amount: i64) -> Json {
    obj! { "value": cents(amount), "currency": "USD" }
}
