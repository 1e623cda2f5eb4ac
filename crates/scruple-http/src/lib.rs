//! Listeners: TLS, request ids, limits, problem details, graceful stop; knows no domain.
