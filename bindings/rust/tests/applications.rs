//! Whole applications, and the log, which belongs to the process.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use unum_workflows::{Kind, Loop, RunOptions, RunStatus};

mod common;
use common::Scratch;

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
