//! Stores and ops: waited for, awaited, cancelled, dropped.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use unum_workflows::{Backend, FanIn, FanInState, ItemKind, Kind, Loop, LoopOptions, Written};

mod common;
use common::{fresh_name, memory, on_each_store, Scratch, SilentServer};

#[test]
fn the_five_calls_do_what_the_document_says() {
    on_each_store(|_, store| {
        let session = store.create_session_context().unwrap();
        assert_eq!(session.len(), 36);
        let write =
            |name: &str, value: &str| store.write_return_value(&session, name, value).wait();
        assert_eq!(write("A", "1").unwrap(), Written::New);
        assert_eq!(write("A", "2").unwrap(), Written::Existing(b"1".to_vec()));
        assert!(!store.check_values_exist(&session, &["A", "B"]).wait().unwrap());
        let missing = store.read_input(&session, &["A", "B"]).wait().unwrap_err();
        assert_eq!(missing.kind, Kind::NotFound);
        assert!(missing.message.contains('B'), "{missing}");
        write("B", "\"zwei\"").unwrap();
        assert!(store.check_value_exist(&session, "B").wait().unwrap());
        assert!(store.check_values_exist(&session, &["A", "B"]).wait().unwrap());
        let read = store.read_input(&session, &["B", "A"]).wait().unwrap();
        assert_eq!(read, [b"\"zwei\"".to_vec(), b"1".to_vec()]);
    });
}

#[test]
fn items_are_put_got_listed_and_removed() {
    on_each_store(|_, store| {
        let session = store.create_session_context().unwrap();
        let kind = ItemKind::Input;
        assert_eq!(store.get(&session, "I", kind).wait().unwrap(), None);
        store.put(&session, "I", kind, b"0123456789").wait().unwrap();
        assert_eq!(store.get(&session, "I", kind).wait().unwrap().unwrap(), b"0123456789");
        let part = store.get_range(&session, "I", kind, 3, 4).wait().unwrap();
        assert_eq!(part.unwrap(), b"3456");
        let again = store.create_item(&session, "I", kind, b"x").wait().unwrap();
        assert_eq!(again, Written::Existing(b"0123456789".to_vec()));
        let items = store.list(&session).wait().unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!((&*items[0].name, items[0].kind), ("I", Some(kind)));
        assert_eq!(items[0].bytes, 10);
        assert!(store.list_sessions().wait().unwrap().contains(&session));
        store.remove(&session, "I", kind).wait().unwrap();
        store.remove(&session, "I", kind).wait().unwrap();
        assert!(store.list(&session).wait().unwrap().is_empty());
    });
}

#[test]
fn the_last_contributor_claims_a_fan_in() {
    on_each_store(|_, store| {
        let session = store.create_session_context().unwrap();
        let instances = ["F-unumIndex-0", "F-unumIndex-1"].map(String::from).to_vec();
        let fan_in = [FanIn { aggregator: "Sum".into(), instances: instances.clone() }];
        let first = store.commit(&session, &instances[0], "1", &fan_in).wait().unwrap();
        assert!(first.written.is_written());
        assert_eq!(first.fan_ins, [FanInState::Incomplete]);
        let second = store.commit(&session, &instances[1], "2", &fan_in).wait().unwrap();
        assert_eq!(second.fan_ins, [FanInState::Claimed]);
        let joined = store.join(&session, &instances[0], &fan_in).wait().unwrap();
        assert!(matches!(&joined[..], [FanInState::Taken(_)]), "{joined:?}");
        let alone = [FanIn { aggregator: "Sum".into(), instances: vec!["F".into()] }];
        let refused = store.join(&session, "G", &alone).wait().unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
    });
}

#[test]
fn a_thousand_ops_run_at_once_as_futures() {
    on_each_store(|unum, store| {
        let session = store.create_session_context().unwrap();
        let names: Vec<_> = (0..1000).map(|place| format!("F-unumIndex-{place}")).collect();
        let written = unum.block_on(async {
            let ops: Vec<_> =
                names.iter().map(|name| store.write_return_value(&session, name, name)).collect();
            let mut written = 0;
            for op in ops {
                written += usize::from(op.await.unwrap().is_written());
            }
            written
        });
        assert_eq!(written.unwrap(), 1000);
        assert!(store.check_values_exist(&session, &names).wait().unwrap());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let seeing = Rc::clone(&seen);
        let stream = store.read_input_stream(&session, &names, move |place, value| {
            assert_eq!(place, seeing.borrow().len());
            seeing.borrow_mut().push(value.to_vec());
            ControlFlow::Continue(())
        });
        stream.wait().unwrap();
        assert!(seen.borrow().iter().map(Vec::as_slice).eq(names.iter().map(|n| n.as_bytes())));
    });
}

#[test]
fn a_stream_ends_when_its_consumer_wants_no_more_or_panics() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    store.write_return_value("s", "A", "1").wait().unwrap();
    let stopped = store.read_input_stream("s", &["A"], |_, _| ControlFlow::Break(())).wait();
    assert_eq!(stopped.unwrap_err().kind, Kind::Cancelled);
    let panicked = store.read_input_stream("s", &["A"], |_, _| panic!("not this one")).wait();
    let error = panicked.unwrap_err();
    assert_eq!((error.kind, &*error.code, &*error.message), (Kind::Bug, "Panic", "not this one"));
}

#[test]
fn bad_arguments_are_errors_with_texts() {
    let unum = Loop::new().unwrap();
    let error = unum.open_store("floppy", "A:").wait().err().unwrap();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("floppy") && error.delivery.is_some(), "{error:?}");
    let none = unum.open_store("memory", &fresh_name()).wait().err().unwrap();
    assert_eq!(none.kind, Kind::NotFound);
    let store = memory(&unum);
    let empty = store.write_return_value("", "A", "1").wait().unwrap_err();
    assert_eq!(empty.kind, Kind::Invalid);
}

#[test]
fn an_op_is_cancelled_by_hand_by_its_drop_and_by_time() {
    let unum = Loop::new().unwrap();
    let server = SilentServer::new();
    let open = || unum.open_store("redis", &server.name);
    let op = open();
    op.cancel();
    assert_eq!(op.wait().err().unwrap().kind, Kind::Cancelled);
    let limited = unum.limited(Duration::from_millis(20), open);
    assert_eq!(limited.wait().err().unwrap().kind, Kind::Timeout);
    let op = open().wait_timeout(Duration::from_millis(10)).err().expect("it has not ended");
    assert!(!op.is_ended());
    drop(op);
    // The loop ends what was dropped: nothing is left to wait for.
    while unum.driver().timeout().is_some() {
        unum.run(Some(Duration::from_millis(50))).unwrap();
    }
}

#[test]
fn a_store_that_nobody_took_is_closed() {
    let unum = Loop::new().unwrap();
    let name = fresh_name();
    unum.create_store("memory", &name).wait().unwrap();
    drop(unum.open_store("memory", &name));
    let ended = unum.open_store("memory", &name);
    while !ended.is_ended() {
        unum.run(None).unwrap();
    }
    drop(ended);
    let store = unum.open_store("memory", &name).wait().unwrap();
    let other = store.clone();
    assert_eq!((&*store.kind(), &*store.name()), ("memory", &*name));
    store.close().wait().unwrap();
    assert_eq!(other.kind(), "");
    assert_eq!(other.close().wait().unwrap_err().kind, Kind::Bug);
    assert_eq!(other.list_sessions().wait().unwrap_err().kind, Kind::Bug);
}

#[test]
fn a_closed_loop_ends_what_runs_and_refuses_the_rest() {
    let unum = Loop::new().unwrap();
    let server = SilentServer::new();
    let store = memory(&unum);
    let op = unum.open_store("redis", &server.name);
    let waker = unum.waker();
    let spawned = unum.spawn(std::future::pending::<()>());
    waker.wake().unwrap();
    unum.close().unwrap();
    unum.close().unwrap();
    assert_eq!(op.wait().err().unwrap().code, "Unum.LoopClosed");
    let other = Loop::new().unwrap();
    assert_eq!(other.block_on(spawned).unwrap().unwrap_err().code, "Unum.Dropped");
    assert_eq!(store.list("s").wait().unwrap_err().code, "Unum.LoopClosed");
    assert_eq!(unum.create_store("memory", "x").wait().unwrap_err().code, "Unum.LoopClosed");
    assert_eq!(waker.wake().unwrap_err().code, "Unum.LoopClosed");
    assert!(unum.entry_payload("1", "s").is_err());
    assert!(unum.run(None).is_err());
}

#[test]
fn handles_may_be_dropped_in_any_order_and_in_futures() {
    for backwards in [false, true] {
        let unum = Loop::new().unwrap();
        let store = memory(&unum);
        let op = store.write_return_value("s", "A", "1");
        if backwards {
            drop((unum, store));
            assert!(op.wait().unwrap().is_written());
        } else {
            let kept = unum.clone();
            unum.spawn(async move {
                drop((op, store));
                drop(kept);
            });
            unum.run(Some(Duration::ZERO)).unwrap();
        }
    }
}

#[test]
fn other_threads_wake_a_wait_and_futures() {
    let unum = Loop::new().unwrap();
    let server = SilentServer::new();
    let waker = unum.waker();
    let thread = std::thread::spawn(move || waker.wake());
    let forever = Duration::from_secs(3600);
    let op = unum.open_store("redis", &server.name).wait_timeout(forever);
    assert!(op.is_err(), "it was woken");
    thread.join().unwrap().unwrap();
    // A future that another thread makes ready.
    let shared = std::sync::Arc::new(std::sync::Mutex::new((false, None::<std::task::Waker>)));
    let other = std::sync::Arc::clone(&shared);
    let mut thread = None;
    struct Flag(std::sync::Arc<std::sync::Mutex<(bool, Option<std::task::Waker>)>>);
    impl std::future::Future for Flag {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            let mut state = self.0.lock().unwrap();
            state.1 = Some(context.waker().clone());
            if state.0 {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        }
    }
    unum.block_on(async {
        thread = Some(std::thread::spawn(move || {
            let mut state = other.lock().unwrap();
            state.0 = true;
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        }));
        Flag(shared).await;
    })
    .unwrap();
    thread.unwrap().join().unwrap();
}

#[test]
fn a_loop_is_not_turned_by_what_it_polls() {
    let unum = Loop::new().unwrap();
    let inner = unum.clone();
    let seen = Rc::new(RefCell::new(None));
    let seeing = Rc::clone(&seen);
    unum.spawn(async move {
        let waited = inner.create_store("memory", &fresh_name()).wait();
        *seeing.borrow_mut() = Some((waited.unwrap_err().code, inner.close().is_err()));
    });
    unum.run(None).unwrap();
    assert_eq!(*seen.borrow(), Some(("Unum.Reentered".to_owned(), true)));
}

#[test]
fn a_panic_in_a_spawned_future_goes_on_in_the_turn() {
    let unum = Loop::new().unwrap();
    unum.spawn(async { panic!("spawned") });
    let turned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unum.run(None)));
    assert_eq!(turned.unwrap_err().downcast_ref::<&str>(), Some(&"spawned"));
    assert!(unum.create_store("memory", &fresh_name()).wait().unwrap());
}

#[test]
fn each_backend_says_what_it_is() {
    for (backend, name) in [(Backend::Uring, "io_uring"), (Backend::Epoll, "epoll")] {
        match Loop::with_options(&LoopOptions { backend, ..LoopOptions::default() }) {
            Ok(unum) => assert!(unum.backend().starts_with(name), "{}", unum.backend()),
            Err(error) => assert!(matches!(error.kind, Kind::Denied | Kind::NotFound), "{error}"),
        }
    }
    assert_eq!(unum_workflows::version(), env!("CARGO_PKG_VERSION"));
}

/// An executor with nothing but poll(2), as a program would have that is built on another one.
#[test]
fn any_executor_can_drive_a_loop() {
    use std::future::Future;
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Note(AtomicBool);
    impl std::task::Wake for Note {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let unum = Loop::new().unwrap();
    let scratch = Scratch::new();
    let driver = unum.driver();
    let note = std::sync::Arc::new(Note(AtomicBool::new(true)));
    let waker = std::task::Waker::from(std::sync::Arc::clone(&note));
    let mut context = std::task::Context::from_waker(&waker);
    let name = scratch.join("store");
    let mut work = Box::pin(async {
        unum.create_store("fs", &name).await?;
        let store = unum.open_store("fs", &name).await?;
        store.write_return_value("s", "A", "1").await
    });
    let written = loop {
        if note.0.swap(false, Ordering::SeqCst) {
            if let std::task::Poll::Ready(written) = work.as_mut().poll(&mut context) {
                break written;
            }
        }
        let is_due = driver.poll_kicked(&mut context).is_ready()
            || driver.timeout() == Some(Duration::ZERO)
            || driver.is_readable();
        if is_due {
            driver.dispatch().unwrap();
        }
    };
    assert_eq!(written.unwrap(), Written::New);
}
