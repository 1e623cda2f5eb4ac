//! The References behind many paths of a resource, found in one walk.

use crate::json::{Scanned, Scanner};
use crate::reference::{Literal, literal};

/// JSON keys from a resource to its References, as a tree; where a path ends stands what it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Paths<T> {
    ends: Option<T>,
    below: Vec<(String, Self)>,
}

/// What a Reference names.
pub(crate) enum Named<'a> {
    /// A resource of the server, by type and id.
    Resource(&'a [u8], &'a str),
    /// Another one inside the resource.
    Contained,
    /// Something that cannot be read here: an address elsewhere, a search, an identifier.
    Other,
    /// Nothing: words alone, or not even these.
    Nothing,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { ends: None, below: Vec::new() }
    }
}

impl<T> Paths<T> {
    /// Sets or changes what the path of these keys is for.
    pub fn end<S: AsRef<str>>(&mut self, keys: &[S], change: &mut dyn FnMut(&mut Option<T>)) {
        let Some((key, rest)) = keys.split_first() else { return change(&mut self.ends) };
        let key = key.as_ref();
        match self.below.iter_mut().find(|(known, _)| known == key) {
            Some((_, paths)) => paths.end(rest, change),
            None => {
                let mut paths = Self::default();
                paths.end(rest, change);
                self.below.push((key.to_owned(), paths));
            }
        }
    }

    /// Calls `each` for every Reference of the resource here that stands at the end of a path, through arrays, with what the path is
    /// for. Gives where `contained` begins. Where the resource cannot be read, every path names something that cannot be.
    pub fn walk(&self, scan: &Scanner<'_>, each: &mut dyn FnMut(&T, Named<'_>)) -> Option<usize> {
        let mut contained = None;
        let mut ahead = scan.fork(scan.at);
        if self.object(&mut ahead, each, Some(&mut contained)).is_err() {
            self.unreadable(each);
        }
        contained
    }

    fn unreadable(&self, each: &mut dyn FnMut(&T, Named<'_>)) {
        if let Some(end) = &self.ends {
            each(end, Named::Other);
        }
        for (_, paths) in &self.below {
            paths.unreadable(each);
        }
    }

    fn value<'a>(&self, scan: &mut Scanner<'a>, each: &mut dyn FnMut(&T, Named<'_>)) -> Scanned<()> {
        match scan.peek() {
            b'[' => {
                let mut more = scan.open(b']')?;
                while more {
                    // FHIR has no arrays in arrays; however deep a sender nests them, they are not gone into.
                    if scan.peek() == b'[' {
                        self.unreadable(each);
                        scan.skip()?;
                    } else {
                        self.value(scan, each)?;
                    }
                    more = scan.more(b']')?;
                }
                Ok(())
            }
            b'{' => self.object(scan, each, None),
            // A value of another kind: the resource is malformed, and is judged so elsewhere.
            _ => scan.skip(),
        }
    }

    fn object<'a>(
        &self,
        scan: &mut Scanner<'a>,
        each: &mut dyn FnMut(&T, Named<'_>),
        mut contained: Option<&mut Option<usize>>,
    ) -> Scanned<()> {
        let (mut reference, mut identifier) = (None, false);
        scan.at_object()?;
        let mut more = scan.open(b'}')?;
        while more {
            let key = scan.key()?;
            scan.peek();
            match key {
                b"contained" => {
                    if let Some(place) = contained.as_deref_mut() {
                        place.get_or_insert(scan.at);
                    }
                }
                b"reference" => reference = reference.or(Some(scan.at)),
                b"identifier" => identifier = true,
                _ => {}
            }
            match self.below.iter().find(|(known, _)| known.as_bytes() == key) {
                Some((_, paths)) => paths.value(scan, each)?,
                None => scan.skip()?,
            }
            more = scan.more(b'}')?;
        }
        if let Some(end) = &self.ends {
            each(end, named(scan, reference, identifier));
        }
        Ok(())
    }
}

fn named<'a>(scan: &Scanner<'a>, reference: Option<usize>, identifier: bool) -> Named<'a> {
    match (reference, scan.plain_string_at(reference)) {
        (None, _) if identifier => Named::Other,
        (None, _) => Named::Nothing,
        (Some(_), Some(text)) => match literal(text) {
            Literal::Relative { resource_type, id } => match std::str::from_utf8(id) {
                Ok(id) => Named::Resource(resource_type, id),
                Err(_) => Named::Other,
            },
            Literal::Contained(_) | Literal::Container => Named::Contained,
            _ => Named::Other,
        },
        (Some(_), None) => Named::Other,
    }
}
