import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { SourceFile, SourceReader, Target } from '../../src/sender/target.ts';
import { createWsTarget } from '../../src/sender/ws/ws-target.ts';

/**
 * Many devices in one process: each has a link of its own, made with its own token, and sends a file a second for a
 * while. Says `ready` once all are connected, and at its end a JSON object: the time to each acknowledgement in ms, and
 * how many files failed or had none after PATIENCE.
 *
 *     node devices.ts URL TOKENS.json FILES BYTES
 *
 * TOKENS.json is an object of tokens by device.
 */
const [url = '', tokenFile = '', files, bytes] = process.argv.slice(2);
const tokens = Object.entries(JSON.parse(readFileSync(tokenFile, 'utf8')) as Record<string, string>);
const PERIOD_MS = 1000;
/** Between two devices that connect, in ms: a site whose power came back, not one machine that does it all at once. */
const CONNECT_EVERY_MS = 3;
/** For what is under way when the last file has been handed over, in ms. */
const PATIENCE_MS = 30_000;

const noise = randomBytes(Number(bytes));
const acknowledgedMs: number[] = [];
let failed = 0;
let given = 0;

/** From memory: the disk is the receiver's. */
class HeldFile implements SourceFile {
  readonly entry: SourceFile['entry'];

  constructor(path: string) {
    this.entry = { path: parseRelPath(path), size: noise.length, mtimeUs: toMicroseconds(Date.now()) };
  }

  readWhole(): Buffer {
    return noise;
  }

  letGo(): void {}

  open(): Promise<SourceReader> {
    throw new Error('such small files are read whole');
  }
}

const links: { readonly target: Target; readonly connected: Promise<void> }[] = [];
for (const [device, token] of tokens) {
  links.push(linkOf(device, token));
  await delay(CONNECT_EVERY_MS);
}
await Promise.all(links.map(({ connected }) => connected));
console.log('ready');
const start = performance.now();
await Promise.all(links.map(async ({ target }, index) => await sendAll(target, index / links.length)));
await Promise.race([delay(PATIENCE_MS), untilAnswered()]);
const answers = JSON.stringify({
  acknowledgedMs,
  failed,
  unanswered: given - acknowledgedMs.length - failed,
});
// The links stay open until then; a pipe takes long lines in pieces.
process.stdout.write(`${answers}\n`, () => process.exit());

function linkOf(device: string, token: string) {
  const connected = Promise.withResolvers<void>();
  const target = createWsTarget({
    url,
    token,
    device,
    mode: 'write',
    digest: 'xxh64',
    retry: { giveUpAfterMs: undefined },
    onLink: (state) => {
      if (state === 'connected') connected.resolve();
    },
  });
  return { target, connected: connected.promise };
}

/** The devices are spread over the second. An unanswered file does not hold up the next. */
async function sendAll(target: Target, phase: number): Promise<void> {
  for (let index = 0; index < Number(files); index++) {
    await delay(Math.max(1, start + (index + phase) * PERIOD_MS - performance.now()));
    given++;
    void send(target, index);
  }
}

async function send(target: Target, index: number): Promise<void> {
  const since = performance.now();
  try {
    await target.put(new HeldFile(`DC1/file-${index}`), { priority: 'live' });
    acknowledgedMs.push(performance.now() - since);
  } catch (thrown) {
    failed++;
    console.error(String(thrown));
  }
}

async function untilAnswered(): Promise<void> {
  while (acknowledgedMs.length + failed < given) await delay(10);
}
