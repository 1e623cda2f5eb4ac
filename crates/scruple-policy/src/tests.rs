use super::*;

#[test]
fn the_shipped_pack_reads_without_a_problem() {
    match read(&PackFiles::embedded()) {
        Ok(pack) => {
            assert_eq!(pack.categories.len(), 44);
            assert_eq!(pack.segments.len(), 19);
            assert_eq!(pack.roles.values().filter(|role| !role.is_profile).count(), 30);
            assert_eq!(pack.purposes.len(), 35);
        }
        Err(problems) => {
            panic!("{} problems\n{}", problems.len(), problems.iter().map(|p| format!("{p}\n")).collect::<String>())
        }
    }
}

#[test]
fn scratch() {
    let start = std::time::Instant::now();
    let checked = check(&PackFiles::embedded(), scruple_core::Timestamp::parse("2026-03-01T00:00:00Z").unwrap());
    println!("check {:?}", start.elapsed());
    for problem in &checked.problems {
        println!("{problem}");
    }
    let pack = checked.pack.unwrap();
    let start = std::time::Instant::now();
    let cedar = Cedar::compile(std::sync::Arc::clone(&pack)).unwrap();
    println!("compile {:?}", start.elapsed());
    let start = std::time::Instant::now();
    println!("{:?}", cedar.validate());
    println!("validate {:?}", start.elapsed());
    let start = std::time::Instant::now();
    println!("{:?}", prove::equal(&pack, &cedar));
    println!("prove {:?}", start.elapsed());
    println!("{}", cedar.text(Some("biller")));
    println!("{}", cedar.schema());
}
