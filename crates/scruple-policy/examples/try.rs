use scruple_core::*;
use scruple_fhir::*;
use scruple_policy::*;
use std::sync::Arc;
struct W;
impl Surroundings for W {
    fn shows(&self, _: &str, _: &str) -> Option<bool> {
        Some(true)
    }
    fn shows_urn(&self, _: &str) -> Option<bool> {
        Some(true)
    }
    fn token(&self, k: &str, v: &str) -> String {
        format!("{:08x}", k.len() * 31 + v.len())
    }
    fn today(&self) -> (i16, u8, u8) {
        (2026, 3, 1)
    }
}
fn main() {
    let pack = read(&PackFiles::embedded()).unwrap_or_else(|p| panic!("{p:?}"));
    let role = std::env::args().nth(1).unwrap();
    let purpose = std::env::args().nth(2).unwrap();
    let show = std::env::args().nth(3) == Some("show".into());
    let rel = pack.condition("relationship").unwrap();
    let t = table(&pack, &Question { role, purpose, conditions: ConditionMask::NONE.with(rel) }).unwrap();
    let pr = Projection::new(Arc::clone(&pack.annotation), t);
    let mut p = Projector::new(&pr, &W);
    let mut stats = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    let (mut inb, mut outb) = (0, 0);
    let reps: usize = std::env::var("REPS").ok().and_then(|r| r.parse().ok()).unwrap_or(1);
    let mut items = Vec::new();
    for f in std::env::args().skip(4) {
        let b = std::fs::read(&f).unwrap();
        let v: serde_json::Value = serde_json::from_slice(&b).unwrap();
        if v["resourceType"] == "Bundle" && std::env::var("SPLIT").is_ok() {
            for e in v["entry"].as_array().unwrap() {
                items.push((f.clone(), serde_json::to_vec(e).unwrap(), true));
            }
        } else {
            items.push((f, b, false));
        }
    }
    let bench = std::env::var("BENCH").is_ok();
    for (_, b, e) in &items {
        out.clear();
        let _ = if *e { p.project_entry(b, &mut out) } else { p.project(b, &mut out) };
    }
    let start = std::time::Instant::now();
    for _ in 0..reps {
        for (f, b, entry) in &items {
            out.clear();
            inb += b.len();
            let r = if *entry { p.project_entry(b, &mut out) } else { p.project(b, &mut out) };
            outb += out.len();
            if bench {
                continue;
            }
            match r {
                Ok(s) => {
                    *stats
                        .entry(format!("{} ok{}", s.resource_type, if s.passed { " passed" } else { "" }))
                        .or_insert(0) += 1;
                    if show {
                        println!("{}", String::from_utf8_lossy(&out));
                    }
                    if serde_json::from_slice::<serde_json::Value>(&out).is_err() {
                        println!("INVALID {f} {}", String::from_utf8_lossy(&out));
                    }
                }
                Err(w) => {
                    let v: serde_json::Value = serde_json::from_slice(b).unwrap();
                    let v = if *entry { &v["resource"] } else { &v };
                    *stats.entry(format!("{} {}", v["resourceType"].as_str().unwrap(), w.code())).or_insert(0) += 1;
                    if show {
                        println!("{f} {w:?}")
                    }
                }
            }
        }
    }
    let el = start.elapsed().as_secs_f64();
    if !show {
        for (k, v) in stats {
            println!("{v:6} {k}");
        }
    }
    eprintln!("{inb} in {outb} out {:.1} MB/s", inb as f64 / 1e6 / el);
}
