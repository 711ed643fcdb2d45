// The SDK for Rust as a peer of the benchmarks: N objects or keys, 64 in flight on one thread.
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

type Work = Vec<Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>>;

fn s3_work(client: aws_sdk_s3::Client, operation: &str, bucket: &str, keys: &[String]) -> Work {
    let mut work: Work = Vec::new();
    for key in keys {
        let (client, bucket, key) = (client.clone(), bucket.to_string(), format!("{key}.json"));
        if operation == "s3-head" {
            work.push(Box::new(move || {
                let call = client.head_object().bucket(&bucket).key(&key).send();
                Box::pin(async move {
                    call.await.expect("head");
                })
            }));
        } else {
            work.push(Box::new(move || {
                let call = client.get_object().bucket(&bucket).key(&key).send();
                Box::pin(async move {
                    let answer = call.await.expect("get");
                    answer.body.collect().await.expect("body");
                })
            }));
        }
    }
    work
}

fn dynamodb_work(client: aws_sdk_dynamodb::Client, table: &str, keys: &[String]) -> Work {
    let mut work: Work = Vec::new();
    for part in keys.chunks(100) {
        let (client, table, part) = (client.clone(), table.to_string(), part.to_vec());
        work.push(Box::new(move || {
            let mut asked = KeysAndAttributes::builder().consistent_read(true);
            for key in &part {
                let name = AttributeValue::S(key.clone());
                asked = asked.keys(HashMap::from([("Name".to_string(), name)]));
            }
            let asked = asked.build().expect("keys");
            let call = client.batch_get_item().request_items(&table, asked).send();
            let (table, count) = (table.clone(), part.len());
            Box::pin(async move {
                let answer = call.await.expect("batch");
                let found = &answer.responses().expect("responses")[&table];
                assert_eq!(found.len(), count, "a value is missing");
            })
        }));
    }
    work
}

async fn once(work: &Work, in_flight: usize) {
    let next = std::cell::Cell::new(0);
    let lanes: Vec<_> = (0..in_flight.min(work.len()))
        .map(|_| async {
            while next.get() < work.len() {
                let item = &work[next.replace(next.get() + 1)];
                item().await;
            }
        })
        .collect();
    futures_join(lanes).await;
}

/// Awaits all of them on this thread; only who was woken is polled.
async fn futures_join<F: Future<Output = ()>>(lanes: Vec<F>) {
    let set = futures_util::stream::FuturesUnordered::from_iter(lanes);
    futures_util::StreamExt::collect::<Vec<()>>(set).await;
}

fn cpu_seconds() -> f64 {
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments[i].parse::<usize>().expect("a number");
    let (count, in_flight, rounds) = (number(4), number(5), number(6));
    let keys: Vec<String> =
        (0..count).map(|i| format!("{}/F-unumIndex-{i}-output", arguments[3])).collect();
    let settings = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let work = if arguments[1] == "dynamodb-batch" {
        dynamodb_work(aws_sdk_dynamodb::Client::new(&settings), &arguments[2], &keys)
    } else {
        let s3 = aws_sdk_s3::config::Builder::from(&settings).force_path_style(true).build();
        s3_work(aws_sdk_s3::Client::from_conf(s3), &arguments[1], &arguments[2], &keys)
    };

    once(&work, in_flight).await;
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    for _ in 0..rounds {
        once(&work, in_flight).await;
    }
    let requests = (work.len() * rounds) as f64;
    println!(
        "{{\"cpu_us\": {}, \"wall_us\": {}}}",
        (cpu_seconds() - cpu) * 1e6 / requests,
        wall.elapsed().as_secs_f64() * 1e6 / requests
    );
}
