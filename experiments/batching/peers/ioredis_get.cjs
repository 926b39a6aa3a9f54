// ioredis on Node: how many GETs per second do 64 concurrent callers get?
//
//   node experiments/batching/peers/ioredis_get.cjs MODULES URL MODE ITEMS CALLERS
//
// MODULES is a folder that holds node_modules/ioredis. MODE: `shared`, one connection, a GET per call;
// `pipelining`, the same with ioredis' automatic pipelining; `mget`, a loader by hand: the keys of one turn of the
// event loop become one MGET. Records as in headrace.experiment.batching.store, which must have been stored.
// Prints its figures as a line of JSON.
'use strict';

const path = require('node:path');
const [modules, url, mode, itemsText, callersText] = process.argv.slice(2);
const Redis = require(path.join(path.resolve(modules), 'node_modules', 'ioredis'));

const RECORDS = 10_000;
const SIZE = 100;
const keys = Array.from({ length: RECORDS }, (_, n) => `record:${n}`);
const values = Array.from({ length: RECORDS }, (_, n) => `${n}:`.padEnd(SIZE, 'x'));

function loader(redis) {
  let waiting = [];
  async function dispatch() {
    const batch = waiting;
    waiting = [];
    try {
      const found = await redis.mget(batch.map((each) => each.key));
      for (let i = 0; i < batch.length; i++) batch[i].resolve(found[i]);
    } catch (error) {
      for (const each of batch) each.reject(error);
    }
  }
  return (key) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ key, resolve, reject }) === 1) setImmediate(dispatch);
    });
}

async function run(get, items, callers) {
  const tally = { items, done: 0, wrong: 0, failed: 0 };
  async function caller(first, end) {
    for (let item = first; item < end; item++) {
      const found = await get(keys[item % RECORDS]);
      if (found === values[item % RECORDS]) tally.done++;
      else tally.wrong++;
    }
  }
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  const edge = (n) => Math.floor((items * n) / callers);
  await Promise.all(Array.from({ length: callers }, (_, n) => caller(edge(n), edge(n + 1))));
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const used = process.cpuUsage(cpu);
  const cpuSeconds = (used.user + used.system) / 1e6;
  const costs = { cpu_cores: cpuSeconds / seconds, cpu_us: (cpuSeconds / items) * 1e6 };
  return { ...tally, seconds, rate: tally.done / seconds, ...costs };
}

async function main() {
  const items = Number(itemsText);
  const callers = Number(callersText);
  const redis = new Redis(url, { enableAutoPipelining: mode === 'pipelining' });
  const get = mode === 'mget' ? loader(redis) : (key) => redis.get(key);
  await run(get, Math.floor(items / 2), callers); // the compiler of V8 needs a while
  const figures = await run(get, items, callers);
  redis.disconnect();
  console.log(JSON.stringify(figures));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
