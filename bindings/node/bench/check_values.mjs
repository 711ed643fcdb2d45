// checkValuesExist of 1,000 names on fs, one call after another. Prints the microseconds of the median call.
import { createStore, openStore } from 'unum-workflows';

const [type, name, rounds] = process.argv.slice(2);
await createStore(type, name);
const store = await openStore(type, name, { durable: false });
const session = 'bench';
const names = Array.from({ length: 1000 }, (_, i) => `F-unumIndex-${i}`);
await Promise.all(names.map((instance) => store.writeReturnValue({ session, instance }, '1')));
const times = [];
for (let round = 0; round < Number(rounds); ++round) {
  const begun = process.hrtime.bigint();
  if (!await store.checkValuesExist(session, names)) throw new Error('a value is missing');
  times.push(Number(process.hrtime.bigint() - begun) / 1000);
}
times.sort((a, b) => a - b);
console.log(times[times.length >> 1].toFixed(0));
await store.close();
