//! Checkpoints as C2SP signed notes, and the text forms of the keys that sign and verify them.

use crate::tree::Hash;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use scruple_seal::{SealError, Secret, SigningKey, VerifyingKey};
use signed_note::{Note, Signature, VerifierList};
use zeroize::Zeroizing;

/// Bytes of a checkpoint that are read; a note with many cosignatures is far smaller.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
const ALGORITHM_ED25519: u8 = 1;

/// A signed tree head: the log had this root at this size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

/// Why a checkpoint is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// It is not of the form of a checkpoint.
    #[error("checkpoint is malformed")]
    Malformed,
    /// No signature of the key is on it, or a wrong one.
    #[error("checkpoint has no valid signature of `{0}`")]
    Signature(String),
    /// It is of another log.
    #[error("checkpoint is of `{found}`, not of `{expected}`")]
    Origin {
        /// The origin line.
        found: String,
        /// The key's name.
        expected: String,
    },
}

/// The key that signs the checkpoints of one log; its name is the log's origin.
#[derive(Debug)]
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

/// The public half, as other verifiers take it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

fn key_bytes(key: VerifyingKey) -> [u8; 33] {
    let mut bytes = [ALGORITHM_ED25519; 33];
    let (_, rest) = bytes.split_at_mut(1);
    rest.copy_from_slice(&key.0);
    bytes
}

impl NoteSigner {
    /// A signer for the log of this name. `None`: the name has white space or a plus sign, or is empty.
    #[must_use]
    pub fn new(name: &str, key: SigningKey) -> Option<Self> {
        signed_note::is_key_name_valid(name).then(|| Self { name: name.to_owned(), key })
    }

    /// Reads the key file: `PRIVATE+KEY+name+id+key` in one line.
    ///
    /// # Errors
    /// The text is of another form, or its id does not belong to its key.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let malformed = SealError::Malformed { what: "signing key file" };
        let line = text.strip_suffix('\n').and_then(|line| line.strip_prefix("PRIVATE+KEY+"));
        let mut parts = line.ok_or(malformed.clone())?.splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| malformed.clone())?);
        let Some((&ALGORITHM_ED25519, seed)) = bytes.split_first() else { return Err(malformed) };
        let key = SigningKey::from_seed(Secret::from_slice(seed).ok_or(malformed.clone())?)?;
        let signer = Self::new(name, key).ok_or(malformed.clone())?;
        // One key, one text: whatever else the line says is a changed file.
        if signer.to_text().as_str() == text { Ok(signer) } else { Err(malformed) }
    }

    /// The text of the key file. It is the key.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(vec![ALGORITHM_ED25519]);
        bytes.extend_from_slice(self.key.seed().expose());
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*bytes));
        let id = self.verifier().id;
        Zeroizing::new(format!("PRIVATE+KEY+{}+{id:08x}+{}\n", self.name, encoded.as_str()))
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier::new(&self.name, self.key.verifying_key())
    }

    /// The name of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A signed checkpoint.
    ///
    /// # Errors
    /// The name of the key is not one of a note.
    pub fn checkpoint(&self, size: u64, root: Hash) -> Result<Vec<u8>, NoteError> {
        let text = body(&self.name, size, root);
        let signature = self.key.sign(text.as_bytes()).to_vec();
        let malformed = |_| NoteError::Malformed;
        let signature = Signature::new(self.name.clone(), self.verifier().id, signature).map_err(malformed)?;
        Ok(Note::new(text.as_bytes(), &[signature]).map_err(malformed)?.to_bytes())
    }
}

fn body(origin: &str, size: u64, root: Hash) -> String {
    format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root.0))
}

impl NoteVerifier {
    fn new(name: &str, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), id: signed_note::key_id(name, &key_bytes(key)), key }
    }

    /// Reads a verifier key: `name+id+key`. White space around it is taken off.
    ///
    /// # Errors
    /// The text is of another form, or its id does not belong to its key.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let malformed = SealError::Malformed { what: "verifier key" };
        let line = text.trim();
        let mut parts = line.splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        let Some((&ALGORITHM_ED25519, key)) = bytes.split_first() else { return Err(malformed) };
        let key = VerifyingKey(key.try_into().map_err(|_| malformed.clone())?);
        let verifier = Self::new(name, key);
        let fits = signed_note::is_key_name_valid(name) && verifier.to_text() == line;
        if fits { Ok(verifier) } else { Err(malformed) }
    }

    /// The text form, without a line end.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(key_bytes(self.key)))
    }

    /// The name of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a checkpoint and checks this key's signature on it. Cosignatures of others are let through unread.
    ///
    /// # Errors
    /// It is malformed, of another log, or not signed by this key.
    pub fn open(&self, bytes: &[u8]) -> Result<Checkpoint, NoteError> {
        let (note, checkpoint) = read(bytes)?;
        if checkpoint.origin != self.name {
            return Err(NoteError::Origin { found: checkpoint.origin, expected: self.name.clone() });
        }
        note.verify(&VerifierList::new(vec![Box::new(self.clone())]))
            .map_err(|_| NoteError::Signature(self.name.clone()))?;
        Ok(checkpoint)
    }
}

impl signed_note::Verifier for NoteVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(message, signature)
    }
}

/// Reads a checkpoint without checking a signature.
fn read(bytes: &[u8]) -> Result<(Note, Checkpoint), NoteError> {
    if bytes.len() > CHECKPOINT_BYTES_MAX {
        return Err(NoteError::Malformed);
    }
    let note = Note::from_bytes(bytes).map_err(|_| NoteError::Malformed)?;
    let text = std::str::from_utf8(note.text()).map_err(|_| NoteError::Malformed)?;
    let mut lines = text.split('\n');
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(NoteError::Malformed);
    };
    let root = BASE64_STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).map(Hash);
    let (Ok(size), Some(root)) = (size.parse::<u64>(), root) else { return Err(NoteError::Malformed) };
    // This log writes no extension lines, and one text for one tree head.
    if origin.is_empty() || body(origin, size, root) != text || note.to_bytes() != bytes {
        return Err(NoteError::Malformed);
    }
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
    Ok((note, checkpoint))
}

/// Reads a checkpoint for the fuzzers; the result is not to be trusted.
pub(crate) fn read_unverified(bytes: &[u8]) -> Option<Checkpoint> {
    read(bytes).ok().map(|(_, checkpoint)| checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;

    fn signer() -> NoteSigner {
        NoteSigner::new("log.example/1", SigningKey::from_seed(Secret::new([3; 32])).unwrap()).unwrap()
    }

    #[test]
    fn a_checkpoint_reads_back_and_any_changed_or_cut_byte_is_noticed() {
        let verifier = signer().verifier();
        let bytes = signer().checkpoint(42, leaf_hash(b"x")).unwrap();
        let checkpoint = verifier.open(&bytes).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (42, leaf_hash(b"x")));
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                assert!(verifier.open(&changed).is_err(), "byte {position} bit {bit}");
            }
            assert!(verifier.open(&bytes[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn key_texts_read_back_and_any_changed_byte_is_noticed() {
        let text = signer().to_text();
        assert_eq!(NoteSigner::parse(&text).unwrap().verifier(), signer().verifier());
        let public = signer().verifier().to_text();
        assert_eq!(NoteVerifier::parse(&public).unwrap(), signer().verifier());
        let changed = |text: &str, position: usize, bit: u8| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[position] ^= 1 << bit;
            String::from_utf8(bytes)
        };
        for bit in 0..8 {
            for position in 0..text.len() {
                assert!(changed(&text, position, bit).map_or(true, |text| NoteSigner::parse(&text).is_err()));
            }
            for position in 0..public.len() {
                assert!(changed(&public, position, bit).map_or(true, |text| NoteVerifier::parse(&text).is_err()));
            }
        }
    }

    /// The key and note of the signed-note specification's own example (C2SP signed-note, golang.org/x/mod).
    #[test]
    fn keys_of_other_programs_are_read() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let verifier = NoteVerifier::parse(key).unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = Note::from_bytes(note.as_bytes()).unwrap();
        assert!(note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok());
        let skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n";
        assert_eq!(NoteSigner::parse(skey).unwrap().verifier().to_text(), key);
    }
}
