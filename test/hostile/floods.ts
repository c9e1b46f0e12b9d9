import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { MAX_MESSAGE_BYTES } from '../../src/protocol/limits.ts';
import type { InlineFile, SenderMessage } from '../../src/protocol/messages.ts';
import { formatReport } from '../../src/protocol/report.ts';
import { greet, type WireClient } from '../receiver/wire-client.ts';
import { startStage } from '../../harness/stage.ts';
import { mebibytes, type Checks } from './checks.ts';
import { faultLines, MemoryWatch } from './process-health.ts';

/** What a receiver with as many sessions as it may have by default stays below. */
const MOST_BYTES = 512 * 2 ** 20;
/** Longest that an honest file may take to be kept beside the floods, in ms. */
const PATIENCE_MS = 60_000;
const LONG = `${'x'.repeat(250)}/`.repeat(15);

interface Flooder {
  readonly client: WireClient;
  /** When to stop, on the clock of `performance.now()`. */
  readonly end: number;
}

/** Sends `next(n)` as fast as the socket takes it, until the time is over or the session is. */
async function flood(
  { client, end }: Flooder,
  next: (n: number) => SenderMessage | undefined,
): Promise<void> {
  const { ws } = client;
  for (let n = 1; performance.now() < end && ws.readyState === WebSocket.OPEN; n++) {
    const message = next(n);
    if (message === undefined) return;
    ws.send(encode(message), () => undefined);
    if (ws.bufferedAmount > 1_000_000 || n % 100 === 0) await delay(5);
  }
}

function emptyFiles(count: number, name: (n: number) => string): InlineFile[] {
  const content = Buffer.alloc(0);
  const digest = digestOf('xxh64', content);
  return Array.from({ length: count }, (_, n) => {
    const entry = { path: parseRelPath(`DC1/${name(n)}`), size: 0, mtimeUs: 0 };
    return { entry, content, digest };
  });
}

/** What a hostile device may do within the rules, or nearly so. */
const FLOODS: readonly ((flooder: Flooder) => Promise<void>)[] = [
  async function chunksOfOneByte(flooder) {
    flooder.client.open(1, 'DC1/a', 2 ** 50);
    const content = Buffer.from('x');
    await flood(flooder, (n) => ({ type: 'chunk', id: 1, offset: n - 1, content }));
  },
  async function largeChunks(flooder) {
    flooder.client.open(1, 'DC1/a', 2 ** 50);
    const content = Buffer.alloc(200_000);
    await flood(flooder, (n) =>
      n > 200 ? undefined : { type: 'chunk', id: 1, offset: (n - 1) * content.length, content },
    );
  },
  async function emptyFilesWithLongPaths(flooder) {
    await flood(flooder, (n) =>
      n > 20
        ? undefined
        : { type: 'files', firstId: (n - 1) * 200 + 1, files: emptyFiles(200, (k) => `${LONG}${n}-${k}`) },
    );
  },
  async function deepFolders(flooder) {
    await flood(flooder, (n) =>
      n > 4
        ? undefined
        : {
            type: 'files',
            firstId: (n - 1) * 50 + 1,
            files: emptyFiles(50, (k) => `${`${n}-${k}/`.repeat(60)}x`),
          },
    );
  },
  async function openAndCancel(flooder) {
    await flood(flooder, (n) => {
      const id = Math.ceil(n / 2);
      if (n % 2 === 0) return { type: 'cancel', id, keep: true };
      const entry = { path: parseRelPath(`DC1/${id}`), size: Number.MAX_SAFE_INTEGER, mtimeUs: n };
      return { type: 'open', id, resume: false, entry };
    });
  },
  async function answersThatNobodyReads(flooder) {
    flooder.client.ws.pause();
    await flood(flooder, (n) => (n > 32 ? undefined : { type: 'list', request: n, prefix: '' }));
  },
  async function digestsOfOneFile(flooder) {
    const paths = Array.from({ length: 256 }, () => parseRelPath('DC1/a'));
    await flood(flooder, (n) => (n > 32 ? undefined : { type: 'look', request: n, digest: true, paths }));
  },
  async function reportsOfManyProblems(flooder) {
    const problem = { code: 'NOT_REGULAR', subject: 'x'.repeat(300), text: '\u001b'.repeat(300) };
    const report = {
      files: 1,
      bytes: 1,
      oldestSeconds: 1,
      directory: 'DC1',
      sealed: 1,
      unsealed: 1,
      problemCount: 10,
    };
    const json = formatReport({ ...report, problems: Array.from({ length: 10 }, () => problem) });
    await flood(flooder, () => ({ type: 'report', json }));
  },
  async function halfMessages(flooder) {
    // A frame of 2 MiB less a byte that never ends.
    const { _socket: socket } = flooder.client.ws as unknown as { _socket: { write(bytes: Buffer): void } };
    const header = Buffer.alloc(14);
    header.set([0x82, 0xff]);
    header.writeBigUInt64BE(BigInt(MAX_MESSAGE_BYTES), 2);
    socket.write(Buffer.concat([header, Buffer.alloc(MAX_MESSAGE_BYTES - 1)]));
  },
];

export interface FloodOptions {
  /** Hostile devices; with the honest one at most as many as a receiver takes. */
  readonly devices: number;
  readonly ms: number;
  readonly checks: Checks;
  readonly print: (line: string) => void;
}

/** Floods of every kind at once against a receiver process, beside `isync scan` as an honest device. */
export async function floodReceiver({ devices, ms, checks, print }: FloodOptions): Promise<void> {
  await using stage = await startStage();
  const { process } = stage.receiver;
  using memory = new MemoryWatch(process);
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 5_000_000, 'DC1/b': 10, 'DC1/finished.parse': '' });
  const daemon = edge.daemon();
  await daemon.until('the first directory', () => edge.sealed('DC1'));
  const clients = await Promise.all(
    Array.from({ length: devices }, (_, n) => greet(stage.receiver.url, `mallory${n}`)),
  );
  for (const { ws } of clients) ws.on('error', () => undefined);
  const end = performance.now() + ms;
  const floods = clients.map(async (client, n) => FLOODS[n % FLOODS.length]?.({ client, end }));
  const began = performance.now();
  await edge.write({ 'DC2/a': 3_000_000, 'DC2/b': 10, 'DC2/finished.parse': '' });
  const sealed = await daemon
    .until('the second directory', () => edge.sealed('DC2'), PATIENCE_MS)
    .catch(() => false);
  const waited = ((performance.now() - began) / 1000).toFixed(1);
  await Promise.all(floods);
  for (const { ws } of clients) ws.terminate();
  print(
    `floods of ${devices} devices: receiver ${mebibytes(memory.highest)} at most; a directory took ${waited} s`,
  );
  const { stderr } = await daemon.stop('SIGINT');
  const differ = await edge.differences();
  const faults = faultLines(process.stderr);
  checks.check('floods: the receiver lives', !process.over);
  checks.check('floods: it took less than 512 MiB', memory.highest < MOST_BYTES, mebibytes(memory.highest));
  checks.check('floods: the honest device was not starved', sealed, `${waited} s`);
  checks.check('floods: nor cut off', !stderr.includes('link lost'));
  checks.check('floods: what it sent arrived whole', differ.length === 0, differ.join('; '));
  checks.check('floods: the receiver told of no fault of its own', faults.length === 0, faults[0]);
  // What it still has to keep for the hostile ones is nobody's loss.
  process.signal('SIGKILL');
}
