// The jobs of compare.py's BullMQ: `worker PORT` runs them, `driver PORT WORKFLOWS WIDTH WORKERS` begins them and prints
// seconds.
"use strict";
const { FlowProducer, QueueEvents, Worker } = require("bullmq");

const [role, port, workflows, width, workers] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };

async function work(job) {
  if (job.name === "branch") return job.data * 2;
  return Object.values(await job.getChildrenValues()).reduce((sum, each) => sum + each, 0);
}

async function run(flows, events, count) {
  const trees = [];
  for (let number = 0; number < count; ++number) {
    const children = Array.from({ length: Number(width) }, (_, i) => ({ name: "branch", queueName: "bench", data: i }));
    trees.push(await flows.add({ name: "total", queueName: "bench", data: 0, children }));
  }
  await Promise.all(trees.map((tree) => tree.job.waitUntilFinished(events)));
}

async function drive() {
  const flows = new FlowProducer({ connection });
  const events = new QueueEvents("bench", { connection });
  await events.waitUntilReady();
  await run(flows, events, 2 * Number(workers));
  const begun = process.hrtime.bigint();
  await run(flows, events, Number(workflows));
  console.log(Number(process.hrtime.bigint() - begun) / 1e9);
  process.exit(0);
}

if (role === "worker") {
  new Worker("bench", work, { connection, concurrency: 1 });
} else {
  drive();
}
