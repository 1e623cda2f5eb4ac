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
