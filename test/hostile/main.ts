import { parseArgs } from 'node:util';
import { Checks } from './checks.ts';
import { floodReceiver } from './floods.ts';
import { fuzzReceiver } from './fuzz-receiver.ts';
import { fuzzSender } from './fuzz-sender.ts';
import { Random } from '../../harness/random.ts';

/** Messages to the sender for each one to the receiver: its sessions are dearer. */
const SENDER_PART = 0.1;
/** With an honest one as many as a receiver takes by default. */
const FLOODING = 63;
const FLOOD_MS = 6000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    messages: { type: 'string', default: '100000' },
    minutes: { type: 'string', default: '30' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const messages = Number(values.messages);
const print = (line: string): void => console.log(line);
print(`seed ${seed}`);
const random = new Random(seed);
const checks = new Checks(print);
const options = {
  seed,
  random,
  mostMs: Number(values.minutes) * 60_000,
  largeBytes: 24_000_000,
  checks,
  print,
};
await fuzzReceiver({ ...options, messages });
await floodReceiver({ devices: FLOODING, ms: FLOOD_MS, checks, print });
await fuzzSender({ ...options, messages: messages * SENDER_PART });
print(checks.summary);
process.exitCode = checks.failed === 0 ? 0 : 1;
