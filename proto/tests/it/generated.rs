//! The Rust of the `.proto` files is checked in, so that a build needs no protobuf compiler and no build script. Here it is made anew
//! and compared. `CAIRN_BLESS=1 cargo test -p cairn-proto --test it generated` writes it.

use std::path::Path;

const GENERATED: &str = "src/gen/cairn.v1.rs";

#[test]
fn the_generated_code_is_that_of_the_proto_files() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources: Vec<_> = std::fs::read_dir(home)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    sources.sort();
    let descriptors = protox::compile(&sources, [home]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    // Our own client classifies failures and takes any channel: see src/client.rs.
    let builder = tonic_prost_build::configure().build_client(false).build_transport(false);
    builder.out_dir(folder.path()).compile_fds(descriptors).unwrap();
    let generated = std::fs::read_to_string(folder.path().join("cairn.v1.rs")).unwrap();

    let path = home.join(GENERATED);
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "{GENERATED} is not what the .proto files say; CAIRN_BLESS=1 cargo test -p cairn-proto --test it generated writes it"
    );
}
