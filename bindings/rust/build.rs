//! Finds libunum: the file that `UNUM_LIBRARY` names, else what pkg-config knows as `unum`.

use std::path::{Path, PathBuf};
use std::{env, fs, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=UNUM_LIBRARY");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rustc-link-lib=dylib=unum");
    match env::var_os("UNUM_LIBRARY") {
        Some(library) => link_to_file(Path::new(&library)),
        None => link_by_pkg_config(),
    }
}

/// The linker looks for `libunum.so`, whatever the file's name is.
fn link_to_file(library: &Path) {
    let library = fs::canonicalize(library)
        .unwrap_or_else(|error| panic!("UNUM_LIBRARY={}: {error}", library.display()));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let link = out.join("libunum.so");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(&library, &link).expect("a link to the library in OUT_DIR");
    println!("cargo:rustc-link-search=native={}", out.display());
}

/// Without pkg-config, or where it knows no `unum`, the linker's own directories are left.
fn link_by_pkg_config() {
    let asked = Command::new("pkg-config").args(["--libs-only-L", "unum"]).output();
    let output = match asked {
        Ok(output) if output.status.success() => output,
        _ => return,
    };
    for word in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(directory) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={directory}");
        }
    }
}
