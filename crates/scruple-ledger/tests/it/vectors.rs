//! Known answers: Merkle proof vectors and a tiled log that other programs made; and the fuzz entry.

use proptest::prelude::*;
use scruple_ledger::{Hash, NoteVerifier, check_consistency, check_inclusion, fuzz_read, leaf_hash, node_hash};
use std::path::{Path, PathBuf};

/// The folder of shared data, if there is one.
fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = std::env::var_os("SCRUPLE_SHARED_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let dir = dir.join("tlog");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: no shared data at {}", dir.display());
    None
}

fn decode(value: &serde_json::Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().try_fold(0_u32, |bits, byte| Some(bits << 6 | u32::from(digit(*byte)?)))?;
        let bits = bits << (6 * (4 - group.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(out)
}

fn hash(value: &serde_json::Value) -> Option<Hash> {
    decode(value)?.try_into().ok().map(Hash)
}

fn proof(value: &serde_json::Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |hashes| hashes.iter().map(hash).collect())
}

fn each(dir: &Path, visit: &mut dyn FnMut(&Path, &serde_json::Value)) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each(&path, visit);
        } else {
            visit(&path, &serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap());
        }
    }
}

#[test]
fn merkle_proof_vectors_are_judged_as_their_authors_say() {
    let Some(dir) = shared() else { return };
    let dir = dir.join("merkle-vectors/testdata");
    let mut count = 0;
    let mut differ = Vec::new();
    let mut judge = |path: &Path, vector: &serde_json::Value, good: bool| {
        count += 1;
        if good == vector["wantErr"].as_bool().unwrap() {
            differ.push(path.strip_prefix(&dir).unwrap().display().to_string());
        }
    };
    each(&dir.join("inclusion"), &mut |path, vector| {
        let good = (|| {
            let (size, index) = (vector["treeSize"].as_u64()?, vector["leafIdx"].as_u64()?);
            let proof = proof(&vector["proof"])?;
            check_inclusion(&proof, size, hash(&vector["root"])?, index, hash(&vector["leafHash"])?).ok()
        })();
        judge(path, vector, good.is_some());
    });
    each(&dir.join("consistency"), &mut |path, vector| {
        let good = (|| {
            let (old, new) = (vector["size1"].as_u64()?, vector["size2"].as_u64()?);
            let proof = proof(&vector["proof"])?;
            check_consistency(&proof, old, hash(&vector["root1"])?, new, hash(&vector["root2"])?).ok()
        })();
        judge(path, vector, good.is_some());
    });
    assert!(count > 150, "{count}");
    // Its roots are no hashes (eleven bytes of text); a `Hash` cannot hold them, so that it is refused here.
    differ.retain(|name| name != "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json");
    assert!(differ.is_empty(), "{differ:#?}");
}

/// The tiled log of Tessera: each partial bundle, each partial tile and each checkpoint, by our readers.
#[test]
fn a_tiled_log_of_another_program_is_read_alike() {
    let Some(dir) = shared() else { return };
    let log = dir.join("tessera-testdata-log/testdata/log");
    let verifier =
        NoteVerifier::parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx").unwrap();
    let mut checked = 0;
    for size in 1..=15_u64 {
        let checkpoint = verifier.open(&std::fs::read(log.join(format!("checkpoint.{size}"))).unwrap_or_default());
        let bundle = std::fs::read(log.join(format!("tile/entries/000.p/{size}"))).unwrap();
        let tile = std::fs::read(log.join(format!("tile/0/000.p/{size}"))).unwrap();
        let mut leaves = Vec::new();
        let mut rest = bundle.as_slice();
        while let [high, low, after @ ..] = rest {
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            leaves.push(leaf_hash(entry));
            rest = after;
        }
        assert_eq!(leaves.iter().flat_map(|leaf| leaf.0).collect::<Vec<_>>(), tile);
        let Ok(checkpoint) = checkpoint else { continue };
        assert_eq!((checkpoint.size, checkpoint.root), (size, root(&leaves)));
        checked += 1;
    }
    assert!(checked >= 10, "{checked} checkpoints");
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = fuzz_read(&bytes);
    }

    #[test]
    fn no_text_makes_a_reader_panic(choice in any::<u8>(), text in "[a-z+/=0-9 \n—]{0,80}\n\n— [a-z]{1,4} [A-Za-z0-9+/=]{0,20}\n") {
        let mut bytes = vec![choice];
        bytes.extend_from_slice(text.as_bytes());
        let _ = fuzz_read(&bytes);
    }
}
