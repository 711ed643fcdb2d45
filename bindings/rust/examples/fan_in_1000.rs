//! A map over 1,000 elements whose fan-in sums, with handlers in Rust and a small platform.
//!
//! `cargo run --example fan_in_1000 [TYPE NAME]`; without a store, in memory. It exits with 1
//! unless the sum is right.

use std::collections::HashMap;
use std::rc::Rc;

use unum_workflows::{Call, Failure, Function, Handler, Invocation, Invoker, Loop, Runtime};

const FUNCTIONS: [(&str, &str); 3] = [
    (
        "Numbers",
        r#"{"Name": "Numbers", "Start": true, "Next": {"Name": "Square", "InputType": "Map"}}"#,
    ),
    (
        "Square",
        r#"{"Name": "Square", "Next": {"Name": "Sum", "InputType":
            {"Fan-in": {"Values": ["Square-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}}"#,
    ),
    ("Sum", r#"{"Name": "Sum"}"#),
];

/// The user code of all three functions: JSON in, JSON out.
async fn code(call: Call) -> Result<String, Failure> {
    let input = std::str::from_utf8(&call.input)?;
    match &*call.function {
        "Numbers" => {
            let numbers: Vec<_> = (1..=input.trim().parse()?).map(|n: u64| n.to_string()).collect();
            Ok(format!("[{}]", numbers.join(",")))
        }
        "Square" => {
            let number: u64 = input.trim().parse()?;
            Ok((number * number).to_string())
        }
        "Sum" => {
            let squares = input.trim().trim_matches(|bracket| bracket == '[' || bracket == ']');
            let sum =
                squares.split(',').map(|one| one.trim().parse::<u64>()).sum::<Result<u64, _>>();
            Ok(sum?.to_string())
        }
        other => Err(Failure::new("NoSuchFunction", other)),
    }
}

/// What each delivery needs.
struct Platform {
    runtime: Runtime,
    functions: HashMap<String, Function>,
    handler: Handler,
    results: std::cell::RefCell<Vec<String>>,
}

impl Platform {
    /// A delivery. A real platform would make it again as the error's `delivery` says.
    async fn deliver(self: Rc<Self>, invocation: Invocation) {
        let function = &self.functions[&invocation.function];
        let step = self.runtime.step(function, &invocation.payload, 1, &self.handler).await;
        let report = step.unwrap_or_else(|error| panic!("{}: {error}", invocation.instance));
        if let Some(result) = report.result {
            self.results.borrow_mut().push(String::from_utf8_lossy(&result).into_owned());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (kind, name) = match &arguments[..] {
        [kind, name] => (&**kind, &**name),
        _ => ("memory", "fan-in"),
    };
    let unum = Loop::new()?;
    let sum = unum.block_on(run(&unum, kind, name))??;
    let expected: u64 = (1..=1000).map(|number| number * number).sum();
    println!("{sum}");
    if sum != expected.to_string() {
        return Err(format!("expected {expected}").into());
    }
    Ok(())
}

async fn run(unum: &Loop, kind: &str, name: &str) -> Result<String, unum_workflows::Error> {
    unum.create_store(kind, name).await?;
    let store = unum.open_store(kind, name).await?;
    // What is invoked goes through a queue, so that the platform does not hold itself.
    let (send, receive) = std::sync::mpsc::channel();
    let invoker = Invoker::new(move |invocation| {
        send.send(invocation).map_err(|_| {
            unum_workflows::Error::new(
                unum_workflows::Kind::Disconnected,
                "Ended",
                "nobody listens",
            )
        })
    });
    let parse =
        |(name, text): &(&str, &str)| Ok(((*name).to_owned(), unum.parse_function(text, name)?));
    let platform = Rc::new(Platform {
        runtime: store.runtime(invoker)?,
        functions: FUNCTIONS.iter().map(parse).collect::<Result<_, unum_workflows::Error>>()?,
        handler: Handler::future(code),
        results: Default::default(),
    });
    let session = store.create_session_context()?;
    let payload = unum.entry_payload("1000", &session)?;
    let entry = &platform.functions["Numbers"];
    platform.runtime.step(entry, payload, 1, &platform.handler).await?;
    // All that one delivery invoked runs at the same time.
    loop {
        let spawn = |invocation| unum.spawn(Rc::clone(&platform).deliver(invocation));
        let round: Vec<_> = receive.try_iter().map(spawn).collect();
        if round.is_empty() {
            break;
        }
        for delivery in round {
            delivery.await?;
        }
    }
    let result = platform.results.borrow_mut().pop();
    Ok(result.unwrap_or_default())
}
