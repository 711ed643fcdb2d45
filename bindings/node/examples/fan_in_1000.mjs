// A map over 1,000 elements whose fan-in sums, on a platform of a few lines: a queue in memory.
//
//   node fan_in_1000.mjs fs DIRECTORY [WIDTH]      (or redis HOST:PORT, memory NAME, ...)
import { pathToFileURL } from 'node:url';
import { createStore, entryPayload, openStore, parseFunction, Runtime } from 'unum-workflows';

const functions = new Map([
  { Name: 'Numbers', Start: true, Next: { Name: 'Square', InputType: 'Map' } },
  {
    Name: 'Square',
    Next: { Name: 'Sum', InputType: { 'Fan-in': { Values: ['Square-unumIndex-*'] } }, 'Payload Modifiers': ['Pop'] },
  },
  { Name: 'Sum' },
].map((configuration) => [configuration.Name, parseFunction(configuration)]));

// The functions' own code: they know nothing of the workflow.
const code = {
  Numbers: (width) => Array.from({ length: width }, (_, i) => i),
  Square: async (number) => number * number,
  Sum: (squares) => squares.reduce((total, square) => total + square, 0),
};

const IN_FLIGHT_MAX = 64;
const DELIVERIES_MAX = 3;

/// Delivers what is invoked, at least once, until nothing is left; resolves with the workflow's result.
export async function runWorkflow(store, input) {
  const queue = [];
  const running = new Set();
  let result;
  const runtime = new Runtime(store, {
    invoke(invocation) { queue.push({ name: invocation.function, payload: invocation.payload, attempt: 1 }); },
  });

  async function deliver(delivery) {
    const { name, payload, attempt } = delivery;
    try {
      const report = await runtime.step(functions.get(name), payload, code[name], { attempt });
      if (report.status === 'failed') throw new Error(`${report.instance} failed: ${report.error}: ${report.cause}`);
      if (report.result !== undefined) result = report.result;
    } catch (error) {
      if (error.delivery === 'again' || (error.delivery === 'bounded' && attempt < DELIVERIES_MAX)) {
        queue.push({ ...delivery, attempt: attempt + 1 });
      } else if (error.delivery === 'bounded') {
        await runtime.giveUp(functions.get(name), payload, { error: error.code, cause: error.message }, { attempt });
      } else {
        throw error;
      }
    }
  }

  try {
    queue.push({ name: 'Numbers', payload: entryPayload(input), attempt: 1 });
    while (queue.length > 0 || running.size > 0) {
      while (queue.length > 0 && running.size < IN_FLIGHT_MAX) {
        const delivered = deliver(queue.shift());
        running.add(delivered);
        delivered.then(() => running.delete(delivered), () => {});
      }
      await Promise.race(running);
    }
    return result;
  } finally {
    runtime.free();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [type, name, width = '1000'] = process.argv.slice(2);
  if (name === undefined) {
    console.error('usage: node fan_in_1000.mjs STORE-TYPE STORE-NAME [WIDTH]');
    process.exit(2);
  }
  await createStore(type, name);
  const store = await openStore(type, name);
  console.log(await runWorkflow(store, Number(width)));
  await store.close();
}
