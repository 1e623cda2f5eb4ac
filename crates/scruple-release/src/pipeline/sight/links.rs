//! Links from Attachments to Binaries (docs/view.md, 8).

use super::{Candidate, Sight};
use scruple_fhir::{dictionary, with_links};

/// Hexadecimal digits of a seal.
const SEAL_DIGITS: usize = 32;

/// A link as somebody brings it back.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The resource with the Attachment, as `Type/id`.
    pub of: &'a str,
    /// Says for whom it was made.
    pub seal: &'a str,
}

impl Sight<'_> {
    /// A projection with a link of this caller in place of each Binary that an Attachment names.
    pub(super) fn with_links(&self, holder: &Candidate<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        let of = format!("{}/{}", dictionary().get(holder.kind).name, holder.id);
        with_links(bytes, &|id| self.link(&of, id)).map(std::borrow::Cow::into_owned)
    }

    /// The link to a Binary in a resource: as it stands in an Attachment.
    pub fn link(&self, of: &str, id: &str) -> String {
        format!("Binary/{id}?of={of}&seal={}", self.seal(of, id))
    }

    /// Whether a link to a Binary was made for this caller, under this decision.
    pub fn is_own(&self, link: Link<'_>, id: &str) -> bool {
        let (made, given) = (self.seal(link.of, id), link.seal);
        made.len() == given.len()
            && made.bytes().zip(given.bytes()).fold(0, |all, (one, other)| all | (one ^ other)) == 0
    }

    fn seal(&self, of: &str, id: &str) -> String {
        let question = &self.asked.question;
        let tables = self.table_hashes();
        let parts = [&self.asked.subject, &question.role, &question.purpose, &tables, of, id];
        let sealed: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        let hash = self.pipeline.token.token("attachment", &sealed);
        hash.get(..SEAL_DIGITS).unwrap_or(&hash).to_owned()
    }
}
