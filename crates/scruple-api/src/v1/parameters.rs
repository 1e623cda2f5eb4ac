//! Parameters that many routes take, as the document of the API describes them: each once.

use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, RESULTS_MAX};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Object, Required};

/// `Idempotency-Key`.
pub(crate) struct OnceKey;

/// `If-Match`, which nothing is changed without.
pub(crate) struct SeenVersion;

/// `limit` and `cursor` of a list.
pub(crate) struct Paging;

fn one(name: &str, place: ParameterIn, description: &str, required: Required, schema: Object) -> ParameterBuilder {
    let one = ParameterBuilder::new().name(name).parameter_in(place).description(Some(description));
    one.required(required).schema(Some(schema))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

impl IntoParams for OnceKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .max_length(Some(IDEMPOTENCY_KEY_BYTES_MAX))
            .pattern(Some("^[!-~]([ -~]{0,253}[!-~])?$"));
        let description = "Done once under this key";
        vec![one("Idempotency-Key", ParameterIn::Header, description, Required::False, schema.build()).build()]
    }
}

impl IntoParams for SeenVersion {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = text().pattern(Some("^\"[0-9]{1,18}\"$"));
        let described =
            one("If-Match", ParameterIn::Header, "The version that was read", Required::True, schema.build());
        vec![described.example(Some("\"1\"".into())).build()]
    }
}

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1))
            .maximum(Some(RESULTS_MAX));
        let of_query = |name, description, schema| one(name, ParameterIn::Query, description, Required::False, schema);
        vec![
            of_query("limit", "Rows of a page", limit.build()).build(),
            of_query("cursor", "`next` of the page before", text().build()).build(),
        ]
    }
}
