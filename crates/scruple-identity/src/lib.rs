//! Who calls: RFC 9068 access tokens, JWKS; protocol only.
