//! Whole applications, and the log, which belongs to the process.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use unum_workflows::{Failure, Handler, Kind, Loop, RunOptions, RunStatus};

mod common;
use common::{memory, Scratch};

fn failing() -> Scratch {
    let scratch = Scratch::new();
    scratch.write(
        "unum-template.yaml",
        "Globals: {ApplicationName: failing}\nFunctions:\n  F: {Properties: {CodeUri: f/, \
         Runtime: python3.11, Start: true}}\n",
    );
    scratch.write("f/unum_config.json", r#"{"Name": "F"}"#);
    scratch.write(
        "f/app.py",
        "def lambda_handler(event, context):\n    print('a line')\n    if event == 1:\n        \
         raise ValueError('no')\n    return event\n",
    );
    scratch
}

#[test]
fn an_application_is_checked_linked_and_run() {
    let unum = Loop::new().unwrap();
    let scratch = failing();
    let application = unum.load_application(&scratch.join(".")).unwrap();
    assert_eq!((&*application.name(), &*application.entry()), ("failing", "F"));
    let names: Vec<_> = application.functions().unwrap().iter().map(|f| f.name()).collect();
    assert_eq!(names, ["F"]);
    let lines = Rc::new(RefCell::new(Vec::new()));
    let run = |input: &str| {
        let printed = Rc::clone(&lines);
        let options = RunOptions {
            input: Some(input.into()),
            printed: Some(Box::new(move |instance, line| {
                printed.borrow_mut().push(format!("{instance}: {line}"));
            })),
            ..RunOptions::default()
        };
        application.run(options).wait().unwrap()
    };
    let failed = run("1");
    assert_eq!((failed.status, &failed.result), (RunStatus::Failed, &None));
    assert_eq!(failed.failures.len(), 1);
    assert_eq!((&*failed.failures[0].instance, &*failed.failures[0].error), ("F", "ValueError"));
    let succeeded = run("[2]");
    assert_eq!(succeeded.status, RunStatus::Succeeded);
    assert_eq!(succeeded.result.unwrap(), b"[2]");
    assert_eq!(*lines.borrow(), ["F: a line", "F: a line"]);
}

#[test]
fn an_application_that_is_refused_says_why() {
    let unum = Loop::new().unwrap();
    let scratch = Scratch::new();
    scratch.write(
        "unum-template.yaml",
        "Globals: {ApplicationName: broken}\nFunctions:\n  F: {Properties: {CodeUri: no/}}\n",
    );
    let refused = unum.load_application(&scratch.join(".")).err().unwrap();
    assert_eq!((refused.error.kind, &*refused.error.code), (Kind::Invalid, "Unum.Refused"));
    assert!(refused.findings.contains(r#""severity":"error""#), "{}", refused.findings);
}

const SUMS: &str = "
Globals: {ApplicationName: sums}
Functions:
  Map: {Properties: {CodeUri: map/, Runtime: python3.11, Start: true}}
  Branch: {Properties: {CodeUri: branch/, Runtime: python3.11}}
  Sum: {Properties: {CodeUri: sum/, Runtime: python3.11}}
";

const CONFIGURATIONS: [(&str, &str); 3] = [
    ("Map", r#"{"Name": "Map", "Start": true, "Next": {"Name": "Branch", "InputType": "Map"}}"#),
    (
        "Branch",
        r#"{"Name": "Branch", "Next": {"Name": "Sum", "InputType":
            {"Fan-in": {"Values": ["Branch-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}}"#,
    ),
    ("Sum", r#"{"Name": "Sum"}"#),
];

fn sum(input: &[u8]) -> Result<String, Failure> {
    let list = std::str::from_utf8(input)?.trim_matches(|letter| letter == '[' || letter == ']');
    let mut sum = 0;
    for number in list.split(',') {
        sum += number.trim().parse::<u64>()?;
    }
    Ok(sum.to_string())
}

/// `Map` and `Sum` answer at once; `Branch` doubles its number later.
fn codes(unum: &Loop) -> Vec<(String, Handler)> {
    let inner = unum.clone();
    let branch = Handler::future(move |call| {
        let unum = inner.clone();
        async move {
            // Something to wait for, which the loop has to go on for.
            unum.create_store("memory", "branches").await?;
            let number: u64 = std::str::from_utf8(&call.input)?.parse()?;
            Ok::<_, Failure>((2 * number).to_string())
        }
    });
    vec![
        ("Map".into(), Handler::new(|call| Ok(call.input))),
        ("Branch".into(), branch),
        ("Sum".into(), Handler::new(|call| sum(&call.input))),
    ]
}

#[test]
fn an_application_in_memory_runs_by_handlers_of_the_program() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let application = unum.parse_application(SUMS, &CONFIGURATIONS, None).unwrap();
    for function in application.functions().unwrap() {
        let again = unum.parse_function(&function.configuration(), "linked").unwrap();
        assert_eq!(again.name(), function.name());
        assert_eq!(again.configuration(), function.configuration());
    }
    let run = |input: &str, opened, codes| {
        let (input, opened) = (Some(input.into()), Some(opened));
        application.run(RunOptions { input, opened, codes, ..RunOptions::default() }).wait()
    };
    let result = run("[1,2,3,4,5,6,7,8,9,10]", store.clone(), codes(&unum)).unwrap();
    assert_eq!((result.status, &result.failures), (RunStatus::Succeeded, &vec![]));
    assert_eq!(result.result.as_deref(), Some(&b"110"[..]));
    assert_eq!((result.instances, result.user_code_runs), (12, 12));
    assert_eq!(store.list_sessions().wait().unwrap(), [result.session]);

    let failed = run(r#"[1, "two"]"#, store.clone(), codes(&unum)).unwrap();
    assert_eq!(failed.status, RunStatus::Failed);
    let failures: Vec<_> = failed.failures.iter().map(|f| (&*f.instance, &*f.error)).collect();
    assert!(failures.contains(&("Branch-unumIndex-1", "ParseIntError")), "{failures:?}");

    let elsewhere = memory(&Loop::new().unwrap());
    assert_eq!(run("[1]", elsewhere, codes(&unum)).unwrap_err().kind, Kind::Bug);
    store.close().wait().unwrap();
    assert_eq!(run("[1]", store, codes(&unum)).unwrap_err().kind, Kind::Bug);
}

/// Counts the futures of a handler that were dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_run_that_is_cancelled_or_dropped_drops_the_futures_of_its_handlers() {
    let unum = Loop::new().unwrap();
    let store = memory(&unum);
    let application = unum.parse_application(SUMS, &CONFIGURATIONS, None).unwrap();
    let (begun, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let run = || {
        let (begun, dropped) = (Rc::clone(&begun), Rc::clone(&dropped));
        let never = Handler::future(move |_| {
            begun.set(begun.get() + 1);
            let dropped = Dropped(Rc::clone(&dropped));
            async move {
                std::future::pending::<()>().await;
                drop(dropped);
                Ok::<_, Failure>("1")
            }
        });
        let mut codes = codes(&unum);
        codes[0].1 = never;
        let opened = Some(store.clone());
        application.run(RunOptions { opened, codes, ..RunOptions::default() })
    };
    let cancelled = run();
    while begun.get() < 1 {
        unum.run(None).unwrap();
    }
    cancelled.cancel();
    assert_eq!(cancelled.wait().unwrap().status, RunStatus::Interrupted);
    assert_eq!(dropped.get(), 1);
    let op = run();
    while begun.get() < 2 {
        unum.run(None).unwrap();
    }
    drop(op);
    while dropped.get() < 2 {
        unum.run(None).unwrap();
    }
}

#[test]
fn an_application_in_memory_that_lacks_a_configuration_is_refused() {
    let unum = Loop::new().unwrap();
    let refused = unum.parse_application(SUMS, &CONFIGURATIONS[..2], None).err().unwrap();
    assert_eq!((refused.error.kind, &*refused.error.code), (Kind::Invalid, "Unum.Refused"));
    assert!(refused.findings.contains(r#""severity":"error""#), "{}", refused.findings);
}

#[test]
fn the_log_goes_where_it_is_told() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    unum_workflows::set_log(Some(Arc::new(move |event| {
        sink.lock().unwrap().push(format!("{} {} {}", event.level, event.area, event.line));
    })))
    .unwrap();
    assert_eq!(unum_workflows::set_log_levels("loud").unwrap_err().kind, Kind::Invalid);
    unum_workflows::set_log_levels("info").unwrap();
    drop(Loop::new().unwrap());
    unum_workflows::set_log_levels("off").unwrap();
    unum_workflows::set_log(None).unwrap();
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.starts_with("info reactor begins")), "{lines:?}");
}
