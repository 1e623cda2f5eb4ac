//! The contrast of every pair of colours that carries text, computed from the style sheet in both schemes (WCAG 2, 1.4.3).

use std::collections::BTreeMap;

const CSS: &str = include_str!("../../assets/console.css");

/// Text colours, and what they stand on.
const PAIRS: &[(&[&str], &[&str])] = &[
    (&["ink", "soft", "link", "good", "warn", "bad"], &["paper", "sheet", "hatch", "hatch-line"]),
    (&["ink", "link", "soft"], &["wash"]),
    (&["on-fill"], &["fill"]),
    (&["ink", "good"], &["good-wash"]),
    (&["ink", "warn"], &["warn-wash"]),
    (&["ink", "bad"], &["bad-wash"]),
    (&["paper"], &["bad"]),
];
/// What shows where a control is (1.4.11).
const EDGES: &[(&[&str], &[&str])] = &[(&["edge", "fill", "link"], &["paper", "sheet"])];

fn colours(css: &str) -> BTreeMap<&str, [f64; 3]> {
    let block = &css[css.find(":root {").unwrap()..];
    let lines = block[..block.find("\n  }").or_else(|| block.find("\n}")).unwrap()].lines();
    let named = lines.filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    named
        .map(|(name, hex)| {
            let part = |from: usize| f64::from(u8::from_str_radix(&hex[from..from + 2], 16).unwrap()) / 255.0;
            (name, [part(0), part(2), part(4)])
        })
        .collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [r, g, b] = colour.map(|part| if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_can_be_read_in_light_and_dark() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let light = &CSS[..CSS.find("@media (prefers-color-scheme: dark)").unwrap()];
    let dark = &CSS[light.len()..];
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let colours = colours(css);
        for (pairs, least) in [(PAIRS, 4.5), (EDGES, 3.0)] {
            for (above, below) in pairs {
                for (above, below) in above.iter().flat_map(|above| below.iter().map(move |below| (above, below))) {
                    let found = contrast(colours[above], colours[below]);
                    assert!(found >= least, "{scheme}: {above} on {below} has {found:.2}, needs {least}");
                }
            }
        }
    }
}
