//! Adapters to what is outside: FHIR servers over HTTP.
