//! What is wrong with the plans of a pack: for its check.

use super::*;

/// What the plans of many decisions find wrong with a pack, each distinct plan judged once.
pub struct Inspector<'a> {
    annotation: &'a Annotation,
    /// Types that anyone may see, each with the categories that its findings can depend on.
    by_type: Vec<(TypeId, Vec<CategoryId>)>,
    seen: HashMap<(TypeId, Vec<View>), Vec<Finding>>,
}

impl<'a> Inspector<'a> {
    /// Inspects plans under an annotation.
    #[must_use]
    pub fn new(annotation: &'a Annotation) -> Self {
        let seen_by_any = |id: &&TypeId| {
            annotation.homes.get(dictionary().get(**id).name).is_some_and(|home| *home != Place::Withheld)
        };
        // Of the lines of data types those matter that stand beside a modifier or in a group, and prose.
        let matters = |path: &str| {
            let object = path.rsplit_once('.').and_then(|(object, _)| dictionary().find(object));
            object.map(|id| dictionary().get(id)).is_some_and(|object| {
                !object.is_in_resource()
                    && (object.elements.iter().any(|element| element.modifier && !is_general(element.name))
                        || annotation.groups.iter().any(|(name, _)| name == object.name))
            })
        };
        let lines = annotation.places.iter().filter(|(path, _)| matters(path));
        let general = lines.filter_map(|(_, place)| match place {
            Place::Category(category) => Some(*category),
            Place::Class | Place::Structure | Place::Withheld => None,
        });
        let general: BTreeSet<CategoryId> = general.chain([annotation.free_text]).collect();
        let categories_of = |id: &TypeId| categories(annotation, *id).union(&general).copied().collect();
        let by_type = dictionary().resources().iter().filter(seen_by_any).map(|id| (*id, categories_of(id))).collect();
        Self { annotation, by_type, seen: HashMap::new() }
    }

    /// The findings of a decision over all resource types, without label and under a label that leaves codes only.
    pub fn findings(&mut self, table: &DecisionTable) -> Vec<(TypeId, Finding)> {
        let mut table = table.clone();
        // What passes is not projected; what a label keeps from passing is.
        table.passes_full_types = false;
        let coded = SegmentSet::ALL.segments().find(|segment| table.limit(*segment) == SegmentLimit::Coded);
        let sets = std::iter::once(SegmentSet::EMPTY).chain(coded.map(|segment| SegmentSet::EMPTY.with(segment)));
        let mut found = Vec::new();
        for segments in sets {
            let views = crate::plan::effective(&table, self.annotation, segments);
            for (id, categories) in &self.by_type {
                let key =
                    categories.iter().filter_map(|category| views.get(usize::from(category.0)).copied()).collect();
                let findings = self
                    .seen
                    .entry((*id, key))
                    .or_insert_with(|| Compiler::findings(self.annotation, &table, segments, *id));
                found.extend(findings.iter().map(|finding| (*id, finding.clone())));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// How many plans were compiled.
    #[must_use]
    pub fn plans(&self) -> usize {
        self.seen.len()
    }
}
