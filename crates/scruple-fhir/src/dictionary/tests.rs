//! The dictionary: what it holds, and that keys and paths are found.

use super::*;

#[test]
fn the_dictionary_holds_r4_and_nothing_else() {
    let dictionary = dictionary();
    assert_eq!(dictionary.resources().len(), 146);
    assert!(dictionary.resource("SubscriptionStatus").is_none(), "R4B");
    assert!(dictionary.resource("Project").is_none(), "not HL7's");
    assert!(dictionary.resource("HumanName").is_none(), "a data type");
}

#[test]
fn every_key_is_found_and_no_other() {
    for object in dictionary().types() {
        for (index, key) in object.keys.iter().enumerate() {
            assert_eq!(object.key_of(key.name()).map(usize::from), Some(index), "{} {}", object.name, key.name());
        }
        for absent in ["", "x", "valuestring", "Status", "_contained", "é"] {
            assert_eq!(object.key_of(absent), None, "{} {absent}", object.name);
        }
    }
}

#[test]
fn paths_resolve_through_parts_and_data_types() {
    let dictionary = dictionary();
    assert!(dictionary.resolve("Observation.component.value[x]").is_some());
    assert!(dictionary.resolve("Patient.photo.data").is_some());
    assert!(dictionary.resolve("Questionnaire.item.item.text").is_some());
    assert!(dictionary.resolve("Coverage.beneficiary.display").is_some());
    assert!(dictionary.resolve("Patient.shoeSize").is_none());
}

#[test]
fn every_search_path_is_an_element() {
    let mut withheld = Vec::new();
    for parameter in &dictionary().search {
        if parameter.reads.is_empty() {
            withheld.push(format!("{}?{}", parameter.base, parameter.code));
        }
        for path in parameter.reads.iter().filter(|_| dictionary().resource(parameter.base).is_some()) {
            assert!(dictionary().resolve(path).is_some(), "{} {} reads {path}", parameter.base, parameter.code);
        }
    }
    assert_eq!(withheld, ["DomainResource?_text", "InsurancePlan?name", "Resource?_content", "Resource?_query"]);
    println!("{} search parameters, {} withheld", dictionary().search.len(), withheld.len());
}

#[test]
fn the_elements_of_every_type_fit_into_the_bits_of_a_word_beside_the_resource_type() {
    let most = dictionary().types().iter().map(|object| object.elements.len()).max();
    assert!(most.is_some_and(|most| most < 63), "{most:?}");
}
