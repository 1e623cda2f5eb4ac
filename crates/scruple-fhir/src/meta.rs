//! `meta`: the labels that it holds, and what of it shows.

use crate::annotation::Annotation;
use crate::dictionary::{ObjectType, dictionary};
use crate::json::{FaultKind, Scalar, Scanned, Scanner};
use scruple_core::SegmentSet;
use std::sync::LazyLock;

/// Profiles that are named in public; others can name a condition or a study.
const PUBLIC_PROFILES: &[u8] = b"http://hl7.org/fhir/";

#[derive(Default)]
pub(crate) struct Meta<'b> {
    pub segments: SegmentSet,
    version_id: Option<&'b [u8]>,
    last_updated: Option<&'b [u8]>,
    profiles: Vec<&'b [u8]>,
}

impl Meta<'_> {
    /// Writes the members that show, each with a comma behind it.
    pub fn write(&self, change: bool, out: &mut Vec<u8>) {
        let mut member = |key: &[u8], value: Option<&[u8]>| {
            if let Some(value) = value.filter(|_| change) {
                out.extend_from_slice(key);
                out.extend_from_slice(value);
                out.push(b',');
            }
        };
        member(b"\"versionId\":", self.version_id);
        member(b"\"lastUpdated\":", self.last_updated);
        if let Some((last, others)) = self.profiles.split_last() {
            out.extend_from_slice(b"\"profile\":[");
            for profile in others {
                out.extend_from_slice(profile);
                out.push(b',');
            }
            out.extend_from_slice(last);
            out.extend_from_slice(b"],");
        }
    }
}

/// Reads the object that begins here.
pub(crate) fn read<'b>(scan: &mut Scanner<'b>, annotation: &Annotation) -> Scanned<Meta<'b>> {
    let mut meta = Meta::default();
    static META: LazyLock<Option<&ObjectType>> =
        LazyLock::new(|| dictionary().find("Meta").map(|id| dictionary().get(id)));
    let object = *META;
    let mut seen = 0_u64;
    let mut more = scan.open(b'}')?;
    while more {
        let key = scan.key()?;
        let index = object.and_then(|object| object.key(key));
        // Meta has no more than 32 keys.
        let bit = index.map_or(0, |index| 1_u64 << (index & 63));
        if seen & bit != 0 {
            return Err(scan.fault(FaultKind::Duplicate));
        }
        seen |= bit;
        match key {
            b"versionId" => meta.version_id = Some(scan.scalar(Scalar::String)?),
            b"lastUpdated" => meta.last_updated = Some(scan.scalar(Scalar::String)?),
            b"source" => {
                let text = scan.scalar(Scalar::String)?;
                let source = text.get(1..text.len() - 1).and_then(|text| std::str::from_utf8(text).ok());
                if let Some(segments) = source.and_then(|source| annotation.meta_sources.get(source)) {
                    meta.segments = meta.segments.union(*segments);
                }
            }
            b"profile" => scan.items(|scan| {
                if scan.peek() == b'n' {
                    return scan.word(b"null").map(drop);
                }
                let text = scan.scalar(Scalar::String)?;
                let name = text.get(1..text.len() - 1).unwrap_or_default();
                if name.starts_with(PUBLIC_PROFILES)
                    && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
                {
                    meta.profiles.push(text);
                }
                Ok(())
            })?,
            b"security" => scan.items(|scan| {
                let label = match coding(scan)? {
                    [Some(system), Some(code)] => annotation.codes.security(system, code),
                    _ => SegmentSet::UNREADABLE,
                };
                meta.segments = meta.segments.union(label);
                Ok(())
            })?,
            _ => match index.and_then(|index| object?.keys.get(usize::from(index))) {
                Some(written) => scan.skip_member(written)?,
                None => scan.skip()?,
            },
        }
        more = scan.more(b'}')?;
    }
    Ok(meta)
}

/// System and code of the Coding that begins here, where they are strings without escapes.
fn coding<'b>(scan: &mut Scanner<'b>) -> Scanned<[Option<&'b [u8]>; 2]> {
    scan.at_object()?;
    let mut found = [None; 2];
    let mut more = scan.open(b'}')?;
    while more {
        let place = match scan.key()? {
            b"system" => found.first_mut(),
            b"code" => found.last_mut(),
            _ => None,
        };
        match place {
            Some(Some(_)) => return Err(scan.fault(FaultKind::Duplicate)),
            Some(place) => *place = Some(scan.scalar(Scalar::String)?),
            None => scan.skip()?,
        }
        more = scan.more(b'}')?;
    }
    Ok(found.map(|text| scan.plain(text)))
}
