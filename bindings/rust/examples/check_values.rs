//! What `check_values_exist` of 1,000 names costs from Rust: `bench/README.md`.

use std::time::Instant;

use unum_workflows::{Loop, StoreOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (kind, name, rounds) = match &arguments[..] {
        [kind, name, rounds] => (&**kind, &**name, rounds.parse::<u32>()?),
        _ => return Err("TYPE NAME ROUNDS".into()),
    };
    let unum = Loop::new()?;
    unum.create_store(kind, name).wait()?;
    let options = StoreOptions { not_durable: true, ..StoreOptions::default() };
    let store = unum.open_store_with(kind, name, options).wait()?;
    let names: Vec<_> = (0..1000).map(|place| format!("Square-unumIndex-{place}")).collect();
    let writes: Vec<_> =
        names.iter().map(|name| store.write_return_value("bench", name, "1")).collect();
    for write in writes {
        write.wait()?;
    }
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let begun = Instant::now();
        assert!(store.check_values_exist("bench", &names).wait()?);
        best = best.min(begun.elapsed().as_secs_f64() * 1e6);
    }
    println!("{best:.1}");
    Ok(())
}
