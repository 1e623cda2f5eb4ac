//! What the rules say, in plain words, beside the fields that are asked because of them (45 CFR parts 160 and 164).
//!
//! Words of the regulation are not repeated here: each rule names its paragraph, and says what it means for who fills in a form.

/// A rule, with its paragraph.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its place on the page `/guide`.
    pub id: &'static str,
    /// `45 CFR 164.502(b)(1)`.
    pub citation: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it means, in plain words.
    pub plain: &'static str,
    /// What Scruple asks or does because of it.
    pub here: &'static str,
}

/// Every rule, in the order of the regulation.
pub const RULES: [Rule; 15] = [
    Rule {
        id: "activity",
        citation: "45 CFR 164.308(a)(1)(ii)(D)",
        title: "Activity is reviewed",
        plain: "Somebody looks regularly at who opened what, and at what was out of the ordinary.",
        here: "Reviews of emergencies and histories of charts. What a decision rests on is written down with it.",
    },
    Rule {
        id: "ending",
        citation: "45 CFR 164.308(a)(3)(ii)(C)",
        title: "Access ends with the work",
        plain: "When somebody's work here ends, or no longer needs it, his access ends too.",
        here: "Taking access back counts at once, on every node. The reason stays with the record of the act.",
    },
    Rule {
        id: "authorised",
        citation: "45 CFR 164.308(a)(4)(ii)(B)",
        title: "Access is given by somebody",
        plain: "There is a way in which access is granted, and it is kept to.",
        here: "You say what you have to do and until when; somebody else decides. Nobody's answer is a no.",
    },
    Rule {
        id: "modified",
        citation: "45 CFR 164.308(a)(4)(ii)(C)",
        title: "Access is looked at again, and changed",
        plain: "What people may open is documented, reviewed and adapted when their work changes. How often is the house's own rule.",
        here: "Each role is gone through kind by kind, with what was looked at.",
    },
    Rule {
        id: "emergency",
        citation: "45 CFR 164.312(a)(2)(ii)",
        title: "In an emergency the record opens",
        plain: "There is a way to the information that is needed when there is no time to ask.",
        here: "One tap on a reason opens one chart. A sentence follows before the shift ends, and somebody outside of your team reads it.",
    },
    Rule {
        id: "minimum",
        citation: "45 CFR 164.502(b)(1)",
        title: "Minimum necessary",
        plain: "Use, disclose and ask for no more of a record than the purpose needs.",
        here: "Choose as few patients, as few kinds of information and as short a time as will do.",
    },
    Rule {
        id: "outside",
        citation: "45 CFR 164.502(b)(2)",
        title: "Where minimum necessary does not apply",
        plain: "Disclosures to those who treat the patient, to the patient himself, by his authorization, to the Secretary, and what the law requires.",
        here: "Your role for your own patients, and the three doors, are for these. Extra access is for the rest.",
    },
    Rule {
        id: "purpose",
        citation: "45 CFR 164.506(c)",
        title: "Treatment, payment, operations",
        plain: "What a record may be used for depends on what it is for.",
        here: "The purpose decides what opens. It stands in the record of each reading.",
    },
    Rule {
        id: "roles",
        citation: "45 CFR 164.514(d)(2)",
        title: "Who needs what",
        plain: "The house names the persons or classes of persons who need access, the kinds of information that each needs, and under which conditions.",
        here: "Roles with their tasks. A change of one says why, and a second person agrees to it.",
    },
    Rule {
        id: "singly",
        citation: "45 CFR 164.514(d)(3)(ii)",
        title: "What is not routine is looked at singly",
        plain: "What no standard protocol covers is reviewed by itself, by criteria that limit it to what is needed.",
        here: "A refusal names its ground, and what would do instead.",
    },
    Rule {
        id: "entire",
        citation: "45 CFR 164.514(d)(5)",
        title: "The entire record",
        plain: "The entire record is used, disclosed or asked for only where the whole of it is specifically justified.",
        here: "Asking for everything asks for a reason of its own.",
    },
    Rule {
        id: "walls",
        citation: "45 CFR 164.530(c)(1)",
        title: "Papers are safeguarded too",
        plain: "What is written about patients and members of staff is protected from whoever has no business with it.",
        here: "Counsel's work and matters of staff stand behind walls. What goes out of one says why, and who let it.",
    },
    Rule {
        id: "complaint",
        citation: "45 CFR 164.530(d)",
        title: "Complaints",
        plain: "Whoever complains is heard; the complaint and what became of it are documented.",
        here: "The complaint stands in the words of who complains. The reader answers for himself, somebody else decides, a letter ends it.",
    },
    Rule {
        id: "sanctions",
        citation: "45 CFR 164.530(e)",
        title: "Sanctions",
        plain: "Who goes against the rules is dealt with by the house's sanctions, and that is documented.",
        here: "What was not justified becomes a case, never a mark in silence.",
    },
    Rule {
        id: "kept",
        citation: "45 CFR 164.530(j)",
        title: "Kept for six years",
        plain: "What is documented is kept for six years from when it was written or was last in force.",
        here: "What you write here is kept with the act, sealed.",
    },
];

/// Fields that are asked because of a rule, by their names in forms.
const FIELDS: [(&str, &str); 23] = [
    ("account", "activity"),
    ("cause", "activity"),
    ("comment", "modified"),
    ("complaint", "complaint"),
    ("flows", "minimum"),
    ("ground", "singly"),
    ("kind", "minimum"),
    ("letter", "complaint"),
    ("level", "minimum"),
    ("level_reason", "minimum"),
    ("note", "activity"),
    ("numbers", "minimum"),
    ("patient", "minimum"),
    ("patients", "minimum"),
    ("purpose", "purpose"),
    ("rationale", "roles"),
    ("reason", "authorised"),
    ("retention", "kept"),
    ("role", "roles"),
    ("text", "walls"),
    ("until", "authorised"),
    ("walls", "walls"),
    ("why", "minimum"),
];

/// The rule because of which a field is asked.
#[must_use]
pub fn of(field: &str) -> Option<&'static Rule> {
    let (_, id) = FIELDS.iter().find(|(name, _)| *name == field)?;
    RULES.iter().find(|rule| rule.id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_regulated_field_has_a_rule_and_every_rule_one_paragraph() {
        for (field, id) in FIELDS {
            assert!(of(field).is_some(), "{field}: no rule {id}");
        }
        let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        let citations: Vec<_> = RULES.iter().map(|rule| rule.citation).collect();
        assert_eq!(ids.len(), RULES.len());
        assert!(citations.is_sorted(), "in the order of the regulation");
        for rule in RULES {
            let paragraph = rule.citation.strip_prefix("45 CFR 164.").unwrap();
            let (section, steps) = paragraph.split_at(3);
            assert!(section.bytes().all(|byte| byte.is_ascii_digit()), "{paragraph}");
            for step in steps.trim_matches(['(', ')']).split(")(") {
                assert!(!step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{paragraph}");
            }
            assert!(rule.plain.ends_with('.') && rule.here.ends_with('.'));
        }
    }
}
