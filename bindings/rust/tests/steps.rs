//! Steps: handlers and platforms that answer at once, later, with failures, or by a panic.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use unum_workflows::{
    Call, Delivery, Error, Failure, Function, Handler, Invocation, Invoker, Kind, Loop, Report,
    Runtime, RuntimeOptions, StepStatus, Store,
};

mod common;
use common::{memory, on_each_store};

type Queue = Rc<RefCell<VecDeque<Invocation>>>;

/// A platform of a few lines: what is invoked is queued, and stepped in order.
struct Platform {
    runtime: Runtime,
    functions: HashMap<String, Function>,
    queue: Queue,
}

impl Platform {
    fn new(
        unum: &Loop,
        store: &Store,
        answers_later: bool,
        functions: &[(&str, &str)],
    ) -> Platform {
        let queue = Queue::default();
        let pushed = Rc::clone(&queue);
        let push = move |invocation| {
            pushed.borrow_mut().push_back(invocation);
            Ok(())
        };
        let invoker = if answers_later {
            let push = Rc::new(push);
            Invoker::future(move |invocation| {
                let push = Rc::clone(&push);
                async move { push(invocation) }
            })
        } else {
            Invoker::new(push)
        };
        let parse = |(name, text): &(&str, &str)| {
            let function = unum.parse_function(text, name).unwrap();
            assert_eq!(function.name(), *name);
            (function.name(), function)
        };
        let functions = functions.iter().map(parse).collect();
        Platform { runtime: store.runtime(invoker).unwrap(), functions, queue }
    }

    fn step(&self, name: &str, payload: &[u8], handler: &Handler) -> Result<Report, Error> {
        self.runtime.step(&self.functions[name], payload, 1, handler).wait()
    }
}

const MAP: [(&str, &str); 3] = [
    ("Map", r#"{"Name": "Map", "Start": true, "Next": {"Name": "Branch", "InputType": "Map"}}"#),
    (
        "Branch",
        r#"{"Name": "Branch", "Next": {"Name": "Sum", "InputType":
            {"Fan-in": {"Values": ["Branch-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}}"#,
    ),
    ("Sum", r#"{"Name": "Sum"}"#),
];

fn wrong(text: &str) -> Result<Vec<u8>, Failure> {
    panic!("{text}")
}

fn code(call: &Call) -> Vec<u8> {
    match &*call.function {
        "Map" => b"[1,2,3,4,5,6,7,8,9,10]".to_vec(),
        _ => call.input.clone(),
    }
}

#[test]
fn a_map_and_its_fan_in_run_by_handlers_that_answer_at_once_or_later() {
    on_each_store(|unum, store| {
        for later in [false, true] {
            let platform = Platform::new(unum, store, later, &MAP);
            let inner = unum.clone();
            let handler = if later {
                Handler::future(move |call| {
                    let unum = inner.clone();
                    async move {
                        // Something to wait for, which the loop has to go on for.
                        unum.create_store("memory", "handlers").await?;
                        Ok::<_, Failure>(code(&call))
                    }
                })
            } else {
                Handler::new(|call| Ok(code(&call)))
            };
            let session = store.create_session_context().unwrap();
            let payload = unum.entry_payload("{}", &session).unwrap();
            let mut results = Vec::new();
            let mut queue = VecDeque::from([("Map".to_owned(), payload)]);
            while let Some((name, payload)) = queue.pop_front() {
                let report = platform.step(&name, &payload, &handler).unwrap();
                assert_eq!(report.status, StepStatus::Succeeded);
                assert_eq!(report.session, session);
                assert!(report.disagreements.is_empty());
                results.extend(report.result);
                for invocation in platform.queue.borrow_mut().drain(..) {
                    let names = platform.functions[&invocation.function]
                        .identify_payload(&invocation.payload)
                        .unwrap();
                    assert_eq!(names, (session.clone(), invocation.instance));
                    queue.push_back((invocation.function, invocation.payload));
                }
            }
            assert_eq!(results, [b"[1,2,3,4,5,6,7,8,9,10]"]);
        }
    });
}

#[test]
fn failures_errors_and_panics_of_handlers_are_the_steps_failure() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let platform = Platform::new(&unum, &store, false, &[("F", r#"{"Name": "F", "Start": true}"#)]);
    let failure_of = |session: &str, handler: Handler| {
        let payload = unum.entry_payload("1", session).unwrap();
        let report = platform.step("F", &payload, &handler).unwrap();
        assert_eq!(report.status, StepStatus::Failed);
        format!("{}: {}", report.error, report.cause)
    };
    let fails = Handler::new(|_| Err::<Vec<u8>, _>(Failure::new("ValueError", "no such value")));
    assert_eq!(failure_of("a", fails), "ValueError: no such value");
    let parses = Handler::new(|_| Ok("x".parse::<i32>()?.to_string()));
    assert_eq!(failure_of("b", parses), "ParseIntError: invalid digit found in string");
    let panics = Handler::new(|_| wrong("by value"));
    assert_eq!(failure_of("c", panics), "Panic: by value");
    let panics = Handler::future(|_| async { wrong("by future") });
    assert_eq!(failure_of("d", panics), "Panic: by future");
    let garbles = Handler::new(|_| Ok("{not json"));
    assert!(failure_of("e", garbles).starts_with("Runtime.MarshalError"));
}

#[test]
fn a_lost_call_is_delivered_again_and_given_up() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let platform = Platform::new(&unum, &store, false, &[("F", r#"{"Name": "F", "Start": true}"#)]);
    let payload = unum.entry_payload("1", "s").unwrap();
    let lost = Handler::new(|_| Err::<Vec<u8>, _>(Failure::lost("its process died")));
    let error = platform.step("F", &payload, &lost).unwrap_err();
    assert_eq!((error.kind, error.delivery), (Kind::Disconnected, Some(Delivery::Bounded)));
    assert_eq!(error.message, "its process died");
    let function = &platform.functions["F"];
    let given_up = platform.runtime.give_up(function, &payload, 3, "Crashed", "three times").wait();
    let report = given_up.unwrap();
    assert_eq!((report.status, &*report.error), (StepStatus::Failed, "Crashed"));
}

#[test]
fn an_invocation_that_is_refused_leaves_the_delivery_to_be_made_again() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let next = r#"{"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}}"#;
    let function = unum.parse_function(next, "A").unwrap();
    let handler = Handler::new(|call| Ok(call.input));
    let step = |session: &str, invoker: Invoker| {
        let payload = unum.entry_payload("7", session).unwrap();
        store.runtime(invoker).unwrap().step(&function, payload, 1, &handler).wait().unwrap_err()
    };
    let refuse = || Err(Error::new(Kind::Disconnected, "Gone", "the queue is gone"));
    let error = step("a", Invoker::new(move |_| refuse()));
    assert_eq!((error.kind, error.delivery), (Kind::Disconnected, Some(Delivery::Again)));
    assert_eq!(error.message, "the queue is gone");
    let error = step("b", Invoker::future(move |_| async move { refuse() }));
    assert_eq!(error.kind, Kind::Disconnected);
    for invoker in [Invoker::new(|_| panic!("oh")), Invoker::future(|_| async { panic!("oh") })] {
        let error = step("c", invoker);
        assert_eq!((error.kind, &*error.message), (Kind::Bug, "oh"));
    }
}

#[test]
fn a_handler_is_dropped_when_its_step_is_cancelled_or_out_of_time() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let slow = r#"{"Name": "Slow", "Start": true, "TimeoutSeconds": 1}"#;
    let platform = Platform::new(&unum, &store, false, &[("Slow", slow)]);
    let (begun, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    struct Count(Rc<Cell<i32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let (beginning, dropping) = (Rc::clone(&begun), Rc::clone(&dropped));
    let handler = Handler::future(move |call| {
        assert_eq!(call.timeout, Some(Duration::from_secs(1)));
        beginning.set(beginning.get() + 1);
        let count = Count(Rc::clone(&dropping));
        async move {
            let _count = count;
            std::future::pending::<Result<Vec<u8>, Failure>>().await
        }
    });
    let payload = unum.entry_payload("7", "s").unwrap();
    let step = || platform.runtime.step(&platform.functions["Slow"], &payload, 1, &handler);
    let late = step().wait().unwrap_err();
    assert_eq!((late.kind, &*late.code), (Kind::Timeout, "States.Timeout"));
    assert_eq!((begun.get(), dropped.get()), (1, 1));
    let op = step();
    while begun.get() < 2 {
        unum.run(None).unwrap();
    }
    op.cancel();
    assert_eq!(op.wait().unwrap_err().kind, Kind::Cancelled);
    assert_eq!(dropped.get(), 2);
    // Dropped, and its runtime with it: the step still ends, and then its handler goes.
    let op = step();
    while begun.get() < 3 {
        unum.run(None).unwrap();
    }
    drop(op);
    while dropped.get() < 3 {
        unum.run(None).unwrap();
    }
    // And with the whole loop.
    let op = step();
    while begun.get() < 4 {
        unum.run(None).unwrap();
    }
    unum.close().unwrap();
    assert_eq!(dropped.get(), 4);
    assert_eq!(op.wait().unwrap_err().kind, Kind::Cancelled);
}

#[test]
fn steps_go_on_when_their_runtime_is_dropped() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let queue = Queue::default();
    let pushed = Rc::clone(&queue);
    let runtime = store
        .runtime(Invoker::new(move |invocation| {
            pushed.borrow_mut().push_back(invocation);
            Ok(())
        }))
        .unwrap();
    let next = r#"{"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}}"#;
    let function = unum.parse_function(next, "A").unwrap();
    let payload = unum.entry_payload("7", "s").unwrap();
    let op = runtime.step(&function, payload, 1, &Handler::new(|call| Ok(call.input)));
    drop((runtime, function, store));
    assert_eq!(op.wait().unwrap().invocations, 1);
    assert_eq!(queue.borrow().len(), 1);
    assert_eq!(queue.borrow()[0].function, "B");
}

#[test]
fn what_is_no_payload_function_or_platform_of_this_loop_is_refused() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let platform = Platform::new(&unum, &store, false, &[("A", r#"{"Name": "A", "Start": true}"#)]);
    let handler = Handler::new(|call| Ok(call.input));
    let error = platform.step("A", b"{\"Data\": 1", &handler).unwrap_err();
    assert_eq!((error.kind, error.delivery), (Kind::Invalid, Some(Delivery::Final)));
    let wrong = unum.parse_function(r#"{"Nme": "A"}"#, "a.json").err().unwrap();
    assert_eq!(wrong.kind, Kind::Invalid);
    assert!(wrong.message.contains("a.json"), "{wrong}");
    assert_eq!(unum.entry_payload("{", "s").unwrap_err().kind, Kind::Invalid);
    let other = Loop::new().unwrap();
    let foreign = other.parse_function(r#"{"Name": "A", "Start": true}"#, "A").unwrap();
    let mixed = platform.runtime.step(&foreign, "{}", 1, &handler).wait().unwrap_err();
    assert_eq!((mixed.kind, &*mixed.code), (Kind::Bug, "Unum.OtherLoop"));
    let options = RuntimeOptions { delay_max: Some(Duration::from_secs(1)), ..Default::default() };
    store.runtime_with(Invoker::new(|_| Ok(())), &options).unwrap();
}
