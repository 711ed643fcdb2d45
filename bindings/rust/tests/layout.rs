//! `sys` against `unum.h`: a C program says what the compiler makes of the header.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{align_of, size_of, MaybeUninit};
use std::path::{Path, PathBuf};
use std::process::Command;

use unum_workflows::sys::*;

mod common;

/// `(struct, [(field, offset)], size, alignment)` of each struct of `sys`.
type Layout = (&'static str, Vec<(&'static str, usize)>, usize, usize);

macro_rules! layouts {
    ($($name:ident { $($field:ident)* })*) => {
        vec![$({
            let place = MaybeUninit::<$name>::uninit();
            let base = place.as_ptr();
            let fields = vec![$(
                // SAFETY: addresses are taken, nothing is read.
                (stringify!($field), unsafe { std::ptr::addr_of!((*base).$field) } as usize
                    - base as usize),
            )*];
            // Every field is named: a struct of the same name cannot have more.
            let _ = |$name { $($field: _),* }: $name| ();
            (stringify!($name), fields, size_of::<$name>(), align_of::<$name>())
        }),*]
    };
}

fn layouts() -> Vec<Layout> {
    layouts! {
        unum_text { data bytes }
        unum_error { struct_bytes status delivery origin code message }
        unum_loop_options { struct_bytes backend helper_threads_max }
        unum_start { struct_bytes timeout_ms done user }
        unum_store_options { struct_bytes not_durable eventual_reads in_flight_max reserved
            request_timeout_ms patience_ms warn waiting user }
        unum_context { session instance }
        unum_item { struct_bytes name kind reserved bytes modified_ns }
        unum_fan_in { struct_bytes aggregator instances count }
        unum_fan_in_state { struct_bytes status reserved detail }
        unum_invocation_details { struct_bytes function instance origin payload attempt reserved
            not_before }
        unum_runtime_options { struct_bytes invoke user payload_bytes_max delay_max_ms
            invocations_in_flight collects_garbage application
            keeps_every_delivery }
        unum_call_details { struct_bytes function instance session input traceparent attempt
            reserved timeout_ms }
        unum_code { struct_bytes call cancel user }
        unum_report { struct_bytes status attempt session instance error cause result result_bytes
            invocations not_before adopted user_code_ran disagreements }
        unum_configuration { struct_bytes function text }
        unum_function_code { struct_bytes function code }
        unum_run_options { struct_bytes input session store store_options workers resume
            accept_changes reserved printed user opened codes code_count }
        unum_run_result { struct_bytes status reserved session result instances user_code_runs }
        unum_failure { struct_bytes instance error cause }
    }
}

macro_rules! constants {
    ($($name:ident)*) => { vec![$((stringify!($name), $name as i64)),*] };
}

fn constants() -> Vec<(&'static str, i64)> {
    constants! {
        UNUM_PENDING UNUM_OK UNUM_NOT_FOUND UNUM_CONFLICT UNUM_INVALID UNUM_DENIED UNUM_THROTTLED
        UNUM_TIMEOUT UNUM_DISCONNECTED UNUM_CANCELLED UNUM_CORRUPT UNUM_EXHAUSTED UNUM_BUG
        UNUM_DELIVERY_FINAL UNUM_DELIVERY_AGAIN UNUM_DELIVERY_BOUNDED
        UNUM_BACKEND_AUTOMATIC UNUM_BACKEND_URING UNUM_BACKEND_EPOLL UNUM_SESSION_BYTES
        UNUM_ITEM_OUTCOME UNUM_ITEM_REPORT UNUM_ITEM_INPUT UNUM_ITEM_CLAIM UNUM_ITEM_WANTED
        UNUM_ITEM_GARBAGE UNUM_ITEM_APPLICATION UNUM_ITEM_DELAYED UNUM_ITEM_INVOKED
        UNUM_FAN_IN_INCOMPLETE UNUM_FAN_IN_CLAIMED UNUM_FAN_IN_TAKEN UNUM_FAN_IN_MISMATCH
        UNUM_STEP_SUCCEEDED UNUM_STEP_CAUGHT UNUM_STEP_FAILED UNUM_STEP_WILL_RETRY
        UNUM_RUN_SUCCEEDED UNUM_RUN_FAILED UNUM_RUN_INTERRUPTED UNUM_RUN_TIMED_OUT
    }
}

/// The directory of `unum.h`: what `UNUM_INCLUDE` names, the repository's, or what pkg-config says.
fn include_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("UNUM_INCLUDE") {
        return directory.into();
    }
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    if near.join("unum.h").exists() {
        return near;
    }
    let asked = Command::new("pkg-config").args(["--variable=includedir", "unum"]).output();
    String::from_utf8(asked.expect("pkg-config").stdout).expect("UTF-8").trim().into()
}

fn without_comments(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(start) = rest.find("/*") {
        code.push_str(&rest[..start]);
        let end = rest[start..].find("*/").expect("the comment ends");
        rest = &rest[start + end + 2..];
    }
    code + rest
}

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect()
}

#[test]
fn structs_and_constants_are_those_of_the_header() {
    let mut program = String::from("#include <stdio.h>\n#include <unum.h>\nint main(void) {\n");
    let mut expected = Vec::new();
    for (name, fields, size, alignment) in layouts() {
        program += &format!("  printf(\"{name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));\n");
        expected.push(format!("{name} {size} {alignment}"));
        for (field, offset) in fields {
            program +=
                &format!("  printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));\n");
            expected.push(format!("{name}.{field} {offset}"));
        }
    }
    for (name, value) in constants() {
        program += &format!("  printf(\"{name} %lld\\n\", (long long){name});\n");
        expected.push(format!("{name} {value}"));
    }
    program += "  return 0;\n}\n";
    let scratch = common::Scratch::new();
    scratch.write("layout.c", &program);
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let compiled = Command::new(compiler)
        .arg("-I")
        .arg(include_directory())
        .args(["-o", &scratch.join("layout"), &scratch.join("layout.c")])
        .output()
        .expect("a C compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(scratch.join("layout")).output().expect("the program runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(said.lines().map(str::to_owned).collect::<Vec<_>>(), expected);
}

#[test]
fn nothing_of_the_header_is_missing() {
    let path = include_directory().join("unum.h");
    let header = without_comments(&std::fs::read_to_string(path).expect("unum.h"));
    let of_header = words(&header);
    let sys = include_str!("../src/sys.rs");
    let of_sys = words(sys);
    // Macros, tags and what only C needs.
    let for_c = ["UNUM_H", "UNUM_BUILDING_CAPI", "UNUM_C_API", "unum_text_of"];
    let missing: Vec<_> = of_header
        .iter()
        .filter(|word| word.starts_with("unum_") || word.starts_with("UNUM_"))
        .filter(|word| !of_sys.contains(*word) && !for_c.contains(word))
        .collect();
    assert!(missing.is_empty(), "sys.rs has not: {missing:?}");
    let compared: BTreeSet<_> = constants().into_iter().map(|(name, _)| name).collect();
    let unknown: Vec<_> = of_header
        .iter()
        .filter(|word| word.starts_with("UNUM_") && !for_c.contains(word))
        .filter(|word| !compared.contains(*word))
        .collect();
    assert!(unknown.is_empty(), "not compared: {unknown:?}");
}

/// The types of each function's parameters and of what it returns, in one spelling.
fn c_functions(header: &str) -> BTreeMap<String, String> {
    let code = header.split("UNUM_C_API ").skip(2);
    code.map(|text| {
        let declaration = text.split(';').next().expect("a declaration");
        let (head, parameters) = declaration.split_once('(').expect("parameters");
        let (returned, name) = head.rsplit_once(' ').expect("a type and a name");
        let types: Vec<_> = parameters.trim_end_matches(')').split(',').map(c_type).collect();
        (name.to_owned(), format!("({}) {}", types.join(", "), spell(returned)))
    })
    .collect()
}

/// A parameter's type: all but its name, with an array as a pointer.
fn c_type(parameter: &str) -> String {
    let parameter = parameter.trim();
    let is_array = parameter.contains('[');
    let named = parameter.split('[').next().expect("a parameter");
    match named.rsplit_once(|letter: char| letter == ' ' || letter == '*') {
        None => spell(named),
        Some((kind, name)) => {
            let stars = &named[kind.len()..named.len() - name.len()];
            spell(&format!("{kind}{stars}{}", if is_array { "*" } else { "" }))
        }
    }
}

fn spell(kind: &str) -> String {
    let is_const = kind.contains("const ");
    let base = kind.replace("const ", "").replace(['*', ' ', '\n'], "");
    let stars = kind.matches('*').count();
    let base = match base.as_str() {
        "int32_t" => "i32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "size_t" => "usize",
        "int" => "c_int",
        "char" => "c_char",
        "void" if stars > 0 => "c_void",
        other => other,
    };
    let outer = "*mut ".repeat(stars.saturating_sub(usize::from(is_const)));
    format!("{outer}{}{base}", if is_const { "*const " } else { "" })
}

#[test]
fn functions_have_the_types_of_the_header() {
    let path = include_directory().join("unum.h");
    let header = without_comments(&std::fs::read_to_string(path).expect("unum.h"));
    let of_header = c_functions(&header);
    assert!(of_header.len() > 60, "{of_header:?}");
    let sys = include_str!("../src/sys.rs");
    let declared = sys.rsplit("extern \"C\" {").next().expect("the functions");
    let of_sys: BTreeMap<_, _> = declared
        .split("pub fn ")
        .skip(1)
        .map(|text| {
            let declaration = text.split(';').next().expect("a declaration");
            let (name, rest) = declaration.split_once('(').expect("parameters");
            let (parameters, returned) = rest.split_once(')').expect("an end");
            let types: Vec<_> = parameters
                .split(',')
                .filter_map(|parameter| parameter.split_once(": "))
                .map(|(_, kind)| kind.trim().to_owned())
                .collect();
            let returned = returned.trim().trim_start_matches("-> ");
            (name.to_owned(), format!("({}) {returned}", types.join(", ")))
        })
        .collect();
    for (name, types) in &of_header {
        let types = types.replace("(void)", "()");
        assert_eq!(of_sys.get(name), Some(&types), "{name}");
    }
    assert_eq!(of_sys.len(), of_header.len());
}
