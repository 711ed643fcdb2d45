//! The loop as a task of tokio's `LocalSet`, beside other tasks.
#![cfg(feature = "tokio")]

use std::rc::Rc;
use std::time::Duration;

use tokio::task::{spawn_local, LocalSet};
use unum_workflows::{Failure, Handler, Invoker, Kind, Loop, Store, StoreOptions};

mod common;
use common::{fresh_name, Scratch, SilentServer};

fn run<F: std::future::Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, future)
}

async fn open(unum: &Loop, kind: &str, name: &str) -> Store {
    unum.create_store(kind, name).await.unwrap();
    let options = StoreOptions { not_durable: true, ..StoreOptions::default() };
    unum.open_store_with(kind, name, options).await.unwrap()
}

#[test]
fn a_thousand_tasks_write_while_others_go_on() {
    run(async {
        let unum = Loop::new().unwrap();
        let driver = unum.spawn_driver();
        let scratch = Scratch::new();
        let mut stores = vec![("fs".to_owned(), scratch.join("store"))];
        if let Some(redis) = std::env::var("UNUM_TEST_REDIS").ok().filter(|name| !name.is_empty()) {
            stores.push(("redis".to_owned(), redis));
        }
        for (kind, name) in stores {
            let store = open(&unum, &kind, &name).await;
            let session: Rc<str> = store.create_session_context().unwrap().into();
            let ticks = spawn_local(async {
                let mut interval = tokio::time::interval(Duration::from_millis(1));
                for _ in 0..5 {
                    interval.tick().await;
                }
            });
            let tasks: Vec<_> = (0..1000)
                .map(|place| {
                    let (store, session) = (store.clone(), Rc::clone(&session));
                    spawn_local(async move {
                        let name = format!("F-unumIndex-{place}");
                        store.write_return_value(&session, &name, "1").await.unwrap()
                    })
                })
                .collect();
            for task in tasks {
                assert!(task.await.unwrap().is_written());
            }
            ticks.await.unwrap();
        }
        unum.close().unwrap();
        driver.await.unwrap().unwrap();
    });
}

#[test]
fn handlers_may_use_tokio() {
    run(async {
        let unum = Loop::new().unwrap();
        unum.spawn_driver();
        let store = open(&unum, "memory", &fresh_name()).await;
        let runtime = store.runtime(Invoker::new(|_| Ok(()))).unwrap();
        let function = unum.parse_function(r#"{"Name": "F", "Start": true}"#, "F").unwrap();
        let handler = Handler::future(|call| async move {
            let other = tokio::task::spawn_blocking(move || call.input);
            tokio::time::timeout(Duration::from_secs(60), other)
                .await?
                .map_err(|error| Failure::new("Joined", error.to_string()))
        });
        let payload = unum.entry_payload("[7]", "s").unwrap();
        let report = runtime.step(&function, payload, 1, &handler).await.unwrap();
        assert_eq!(report.result.unwrap(), b"[7]");
    });
}

#[test]
fn a_task_that_is_aborted_cancels_its_op() {
    run(async {
        let unum = Loop::new().unwrap();
        unum.spawn_driver();
        let server = SilentServer::new();
        let op = unum.open_store("redis", &server.name);
        let late = tokio::time::timeout(Duration::from_millis(10), op).await;
        assert!(late.is_err());
        let limited = unum
            .limited(Duration::from_millis(10), || unum.open_store("redis", &server.name))
            .await;
        assert_eq!(limited.err().unwrap().kind, Kind::Timeout);
    });
}
