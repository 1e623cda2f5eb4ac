mod dictionary;
fn main() -> anyhow::Result<()> { dictionary::run(&std::env::args().skip(2).collect::<Vec<_>>()) }
