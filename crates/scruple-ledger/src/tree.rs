//! The Merkle tree of RFC 6962, its right edge, and the tiles and entry bundles of C2SP tlog-tiles.
//!
//! Pure: it makes and reads bytes and relative paths, and touches no file.

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Levels of tiles above 2^63 leaves; no tile stands higher.
const LEVELS_MAX: u32 = 8;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    Hash(digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default())
}

fn pair(prefix: u8, left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [prefix; 1 + 2 * HASH_BYTES];
    let (_, halves) = bytes.split_at_mut(1);
    let (first, second) = halves.split_at_mut(HASH_BYTES);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    sha256(&bytes)
}

/// The leaf hash of an entry that already has the leaf prefix, a zero byte, before it.
pub(crate) fn prefixed_leaf_hash(zero_and_entry: &[u8]) -> Hash {
    sha256(zero_and_entry)
}

/// The leaf hash of an entry: SHA-256 of 0x00 and the entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut bytes = Vec::with_capacity(entry.len() + 1);
    bytes.push(0);
    bytes.extend_from_slice(entry);
    sha256(&bytes)
}

/// The hash of an inner node: SHA-256 of 0x01 and both children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    pair(1, left, right)
}

/// One link of the hash chain of the write-ahead log: SHA-256 of 0x02, the link before, and the leaf hash.
#[must_use]
pub fn chain_link(before: &Hash, leaf: &Hash) -> Hash {
    pair(2, before, leaf)
}

/// The root of the empty tree.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The root of perfect subtrees of equal size, as many as a power of two.
fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

/// Which tile: level 0 holds leaf hashes, level 1 the roots of level 0's full tiles, and so on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TileId {
    /// The level.
    pub level: u8,
    /// The number of the tile in its level.
    pub number: u64,
}

/// A tile that became full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FullTile {
    /// Which.
    pub id: TileId,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
}

/// The right edge of a growing tree: at each level the hashes of the last tile, while it is not full.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of this size, from the hashes of its partial tiles. `None` if their numbers do not fit.
    #[must_use]
    pub fn from_levels(size: u64, levels: Vec<Vec<Hash>>) -> Option<Self> {
        let expected = edge_widths(size);
        let fits = levels.len() == expected.len()
            && levels.iter().zip(&expected).all(|(hashes, width)| hashes.len() as u64 == u64::from(*width));
        fits.then_some(Self { size, levels })
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; appends the tiles that become full by it.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        let mut hash = leaf;
        let mut number = self.size / TILE_WIDTH;
        self.size += 1;
        for level in 0..LEVELS_MAX {
            let at = level as usize;
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(at) else { return };
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(hashes);
            hash = perfect_root(&hashes);
            full.push(FullTile { id: TileId { level: at as u8, number }, hashes });
            number /= TILE_WIDTH;
        }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            // The subtrees of one level, from the smallest at the right to the largest at the left.
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().trailing_zeros();
                let (left, subtree) = rest.split_at(rest.len() - width);
                let hash = perfect_root(subtree);
                root = Some(root.map_or(hash, |right| node_hash(&hash, &right)));
                rest = left;
            }
        }
        root.unwrap_or_else(empty_root)
    }

    /// The tiles that are not full, without empty ones.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        self.levels.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| {
            let number = tile_number(self.size, level as u32);
            (TileId { level: level as u8, number }, hashes.as_slice())
        })
    }
}

/// The number of the last, not full, tile of a level.
fn tile_number(size: u64, level: u32) -> u64 {
    size.checked_shr(8 * (level + 1)).unwrap_or(0)
}

/// How many hashes the last, not full, tile of each level has; without empty levels at the top.
#[must_use]
pub fn edge_widths(size: u64) -> Vec<u8> {
    (0..LEVELS_MAX)
        .take_while(|level| size >> (8 * level) > 0)
        .map(|level| (size >> (8 * level) & 0xff) as u8)
        .collect()
}

/// The number of the last, not full, tile of each level that has one, with its width.
pub fn edge_tiles(size: u64) -> impl Iterator<Item = (TileId, u8)> {
    edge_widths(size)
        .into_iter()
        .enumerate()
        .filter(|(_, width)| *width > 0)
        .map(move |(level, width)| (TileId { level: level as u8, number: tile_number(size, level as u32) }, width))
}

/// `x001/x234/067`: groups of three digits, all but the last with an `x`.
fn number_path(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn width_suffix(width: u64) -> String {
    if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() }
}

/// The path of a hash tile of `width` hashes.
#[must_use]
pub fn tile_path(id: TileId, width: u64) -> String {
    format!("tile/{}/{}{}", id.level, number_path(id.number), width_suffix(width))
}

/// The path of an entry bundle of `width` entries.
#[must_use]
pub fn bundle_path(number: u64, width: u64) -> String {
    format!("tile/entries/{}{}", number_path(number), width_suffix(width))
}

/// What a file below `tile/` is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TileFile {
    /// A hash tile.
    Hashes(TileId, u64),
    /// An entry bundle.
    Entries(u64, u64),
}

/// Reads a path; only the one form that this module writes is taken.
#[must_use]
pub fn parse_tile_path(path: &str) -> Option<TileFile> {
    let rest = path.strip_prefix("tile/")?;
    let (level, rest) = rest.split_once('/')?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse::<u64>().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
        None => (rest, TILE_WIDTH),
    };
    let number = number.split('/').try_fold(0_u64, |number, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let value = digits.parse::<u64>().ok().filter(|value| *value < 1000)?;
        number.checked_mul(1000)?.checked_add(value)
    })?;
    let (file, canonical) = if level == "entries" {
        (TileFile::Entries(number, width), bundle_path(number, width))
    } else {
        let id = TileId { level: level.parse().ok().filter(|level| u32::from(*level) < LEVELS_MAX)?, number };
        (TileFile::Hashes(id, width), tile_path(id, width))
    };
    (canonical == path).then_some(file)
}

/// The bytes of a hash tile.
#[must_use]
pub fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile. `None` if the length is no multiple of a hash.
#[must_use]
pub fn parse_tile(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}

/// Appends one entry to a bundle: its length as big-endian uint16, and its bytes.
pub fn put_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    bundle.extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Splits the first entry off a bundle. `None` at the end or where the bundle is cut.
#[must_use]
pub fn take_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// A bundle as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bundle<'a> {
    /// Its entries, up to the first byte that does not fit.
    pub entries: Vec<&'a [u8]>,
    /// That byte.
    pub broken: Option<u64>,
}

impl<'a> Bundle<'a> {
    /// Reads a bundle of `width` entries.
    pub(crate) fn parse(bytes: &'a [u8], width: u64) -> Self {
        let mut entries = Vec::new();
        let mut rest = bytes;
        while (entries.len() as u64) < width {
            let Some((entry, after)) = take_entry(rest) else { break };
            entries.push(entry);
            rest = after;
        }
        let whole = entries.len() as u64 == width && rest.is_empty();
        Self { entries, broken: (!whole).then_some((bytes.len() - rest.len()) as u64) }
    }

    /// The entries, if the bundle is one; else the byte where it stops being one.
    pub(crate) fn whole(self) -> Result<Vec<&'a [u8]>, u64> {
        self.broken.map_or(Ok(self.entries), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition of RFC 6962, word for word.
    fn slow_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [only] => *only,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&slow_root(&leaves[..k]), &slow_root(&leaves[k..]))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    /// The seven-input tree of the Certificate Transparency test suites.
    #[test]
    fn roots_are_those_of_rfc_6962() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut edge = Edge::default();
        assert_eq!(edge.root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (input, root) in inputs.iter().zip(roots) {
            edge.push(leaf_hash(input), &mut Vec::new());
            assert_eq!(edge.root().to_string(), root);
        }
    }

    #[test]
    fn the_edge_has_the_root_of_the_definition_at_every_size() {
        let leaves = leaves(1100);
        let mut edge = Edge::default();
        let mut full = Vec::new();
        for (index, leaf) in leaves.iter().enumerate() {
            edge.push(*leaf, &mut full);
            if index < 300 || index % 37 == 0 {
                assert_eq!(edge.root(), slow_root(&leaves[..=index]), "size {}", index + 1);
            }
            let again = Edge::from_levels(edge.size(), edge.levels.clone());
            assert_eq!(again.as_ref(), Some(&edge));
            let tiles: Vec<_> = edge.partial_tiles().map(|(id, hashes)| (id, hashes.len() as u8)).collect();
            assert_eq!(tiles, edge_tiles(edge.size()).collect::<Vec<_>>());
        }
        assert_eq!(full.len(), 4);
    }

    /// A tree of 65,792 leaves has three levels; its upper hashes must be those of the definition.
    #[test]
    fn a_tree_of_three_levels_has_the_right_root() {
        let leaves = leaves(65_536 + 256 + 1);
        let mut edge = Edge::default();
        let mut full = Vec::new();
        leaves.iter().for_each(|leaf| edge.push(*leaf, &mut full));
        assert_eq!(edge.root(), slow_root(&leaves));
        let tiles: Vec<_> = edge_tiles(edge.size()).collect();
        let id = |level, number| TileId { level, number };
        assert_eq!(tiles, [(id(0, 257), 1), (id(1, 1), 1), (id(2, 0), 1)]);
        assert!(full.iter().any(|tile| tile.id == id(1, 0)));
    }

    #[test]
    fn paths_are_those_of_tlog_tiles_and_read_back() {
        let check = |number, width, expected: &str| {
            assert_eq!(tile_path(TileId { level: 0, number }, width), expected);
            let file = TileFile::Hashes(TileId { level: 0, number }, width);
            assert_eq!(parse_tile_path(expected), Some(file));
        };
        check(0, 256, "tile/0/000");
        check(5, 1, "tile/0/005.p/1");
        check(1_234_067, 256, "tile/0/x001/x234/067");
        check(1_000, 255, "tile/0/x001/000.p/255");
        assert_eq!(parse_tile_path("tile/entries/x001/234"), Some(TileFile::Entries(1234, 256)));
        for wrong in [
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/00/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/8/000",
            "tile/entries/+01",
            "tile/data/000",
            "tile/0/",
            "tile/0/000/",
        ] {
            assert_eq!(parse_tile_path(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_bundle_reads_back_and_a_cut_one_names_where(
            entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bundle = Vec::new();
            entries.iter().for_each(|entry| put_entry(&mut bundle, entry));
            let width = entries.len() as u64;
            let expected: Vec<_> = entries.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(Bundle::parse(&bundle, width).whole().unwrap(), expected);
            let cut = cut.index(bundle.len());
            let position = Bundle::parse(&bundle[..cut], width).whole().unwrap_err();
            prop_assert!(position <= cut as u64);
        }
    }
}
