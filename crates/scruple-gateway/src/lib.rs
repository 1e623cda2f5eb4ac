//! The FHIR gateway: a thin edge over the release pipeline.
