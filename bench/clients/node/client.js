'use strict';

// node-seed and node-pipelined: ioredis as the guide uses it, and with its pipelines.

const { parseArgs } = require('node:util');

const Redis = require('ioredis');
const { v4: uuidv4 } = require('uuid');

const { Latencies } = require('./latencies');

const { values: given } = parseArgs({
  options: {
    kind: { type: 'string' },
    tasks: { type: 'string' },
    queue: { type: 'string' },
    batch: { type: 'string' },
  },
});
const tasks = Number(given.tasks);
const batch = Number(given.batch);

// Nothing is ever sent twice: a repeated enqueue would be two tasks.
const redis = new Redis(placeOf(process.env.BENCH_REDIS_URL), {
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
});
redis.on('error', (error) => fail(error));

// ioredis reads redis:// and rediss:// itself, but no unix:// with a password.
function placeOf(url) {
  const unix = /^unix:\/\/(?:(?<user>[^:@]*)(?::(?<password>.*))?@)?(?<path>\/.*)$/.exec(url);
  if (!unix) return url;
  const { user, password, path } = unix.groups;
  return {
    path: path,
    username: user ? decodeURIComponent(user) : undefined,
    password: password ? decodeURIComponent(password) : undefined,
  };
}

async function enqueueTask(queue, payload, maxRetry = 3) {
  const taskId = uuidv4();

  // Create task hash
  await redis.hset(`asynq:t:${taskId}`, {
    type: 'task',
    payload: JSON.stringify(payload),
    retry: '0',
    max_retry: String(maxRetry),
    queue: queue,
  });

  // Push to pending list
  await redis.lpush(`asynq:${queue}:pending`, taskId);

  return taskId;
}

async function enqueuePipeline(queue, payloads, maxRetry = 3) {
  const pipeline = redis.pipeline();
  for (const payload of payloads) {
    const taskId = uuidv4();
    pipeline.hset(`asynq:t:${taskId}`, {
      type: 'task',
      payload: JSON.stringify(payload),
      retry: '0',
      max_retry: String(maxRetry),
      queue: queue,
    });
    pipeline.lpush(`asynq:${queue}:pending`, taskId);
  }
  for (const [error] of await pipeline.exec()) {
    if (error) throw error;
  }
}

const kinds = {
  seed: (payloads) => enqueueTask(given.queue, payloads[0]),
  pipelined: (payloads) => enqueuePipeline(given.queue, payloads),
};

async function measure(enqueue) {
  const latencies = new Latencies();
  const beganCpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  for (let start = 0; start < tasks; start += batch) {
    const payloads = [];
    for (let number = start; number < Math.min(start + batch, tasks); number += 1) {
      payloads.push({ input: `hello ${number}` });
    }
    const before = process.hrtime.bigint();
    await enqueue(payloads);
    latencies.record(Number(process.hrtime.bigint() - before), payloads.length);
  }
  const elapsed = Number(process.hrtime.bigint() - began);
  const cpu = process.cpuUsage(beganCpu);
  return {
    client: `node-${given.kind}`,
    tasks: tasks,
    elapsed_s: elapsed / 1e9,
    cpu_s: (cpu.user + cpu.system) / 1e6,
    latency_us: latencies.pairs(),
  };
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

async function main() {
  await redis.ping();
  const line = await measure(kinds[given.kind]);
  await redis.quit();
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

main().catch(fail);
