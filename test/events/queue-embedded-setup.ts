import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CliProcess, startNode } from '../../harness/process.ts';
import { EmbeddedQueue, type EmbeddedQueueOptions } from '../../src/events/queue/embedded/embedded-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import type { QueueSetup } from '../suites/event-queue/subject.ts';

/** More than any of these tests brings. */
const MANY = 1_000_000;
/** How long a receive waits that finds none, in ms. */
const WAIT_MS = 300;

const SOURCE = join(import.meta.dirname, '../../src/events/queue/embedded/embedded-queue.ts');

export const queueOptions = (given: Partial<EmbeddedQueueOptions> = {}): EmbeddedQueueOptions => ({
  works: true,
  maxMessages: MANY,
  minFreeBytes: 0,
  waitMs: WAIT_MS,
  log: new RecordingLog(),
  ...given,
});

/** The text of a module that opens the queue in `file` as `queue` and runs `code`; errors that were waited out are in `warned`. */
export function queueProgram(file: string, code: string, options = '', source = SOURCE): string {
  return `
    import { EmbeddedQueue } from ${JSON.stringify(source)};
    const warned = [];
    const warn = (_, { err }) => void warned.push(err);
    const log = { debug() {}, info() {}, warn, error() {}, with() { return log; } };
    const queue = await EmbeddedQueue.open(${JSON.stringify(file)}, {
      works: true, maxMessages: ${MANY}, minFreeBytes: 0, log, ${options}
    });
    ${code}`;
}

export function startQueueProgram(
  file: string,
  code: string,
  options = '',
  flags: readonly string[] = [],
): CliProcess {
  return startNode([...flags, '--input-type=module', '-e', queueProgram(file, code, options)]);
}

export async function embeddedSetup(): Promise<QueueSetup> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-queue-'));
  const file = join(folder, 'state', 'queue.db');
  return {
    sharesWork: false,
    tellsInHand: true,
    countsUnasked: true,
    open: (limits) => EmbeddedQueue.open(file, queueOptions(limits)),
    start: (code) => startQueueProgram(file, code),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
