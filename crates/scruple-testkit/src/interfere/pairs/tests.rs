use super::*;
use crate::interfere::leaks::tests_world::sight;
use std::collections::BTreeMap;
