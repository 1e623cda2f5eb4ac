//! Use cases, jobs, the drainer and the access cache; what is outside is a trait.
