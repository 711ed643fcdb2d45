//! What the tests share: stores of each kind that is there, and directories that go away.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use unum_workflows::{Loop, Store, StoreOptions};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A name that no other test has, in no other run.
pub fn fresh_name() -> String {
    format!("rust-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        let path = std::env::temp_dir().join(fresh_name());
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn open(unum: &Loop, kind: &str, name: &str) -> Store {
    unum.create_store(kind, name).wait().expect("the store is created");
    let options = StoreOptions { not_durable: true, ..StoreOptions::default() };
    unum.open_store_with(kind, name, options).wait().expect("the store is opened")
}

pub fn memory(unum: &Loop) -> Store {
    open(unum, "memory", &fresh_name())
}

/// Runs a test on each kind of store: files, memory, and Redis where `UNUM_TEST_REDIS` names one.
pub fn on_each_store(test: impl Fn(&Loop, &Store)) {
    let unum = Loop::new().expect("a loop");
    let scratch = Scratch::new();
    test(&unum, &open(&unum, "fs", &scratch.join("store")));
    test(&unum, &memory(&unum));
    if let Some(redis) = std::env::var("UNUM_TEST_REDIS").ok().filter(|name| !name.is_empty()) {
        test(&unum, &open(&unum, "redis", &redis));
    }
}

/// A server that takes connections and says nothing: what is asked of it never ends by itself.
pub struct SilentServer {
    _listener: std::net::TcpListener,
    pub name: String,
}

impl SilentServer {
    pub fn new() -> SilentServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = listener.local_addr().expect("its address").to_string();
        SilentServer { _listener: listener, name }
    }
}
