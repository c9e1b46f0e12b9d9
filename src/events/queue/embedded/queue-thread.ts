import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Asked, Call, ThreadOptions, Told } from './commands.ts';
import { lockForWork, openQueueFile, queueFileError } from './open-queue-file.ts';
import { QueueFile } from './queue-file.ts';
import { errorFrom, toldError } from '../../../model/told-error.ts';
import { Transactions } from './transactions.ts';

/** The thread that has the queue file: it alone waits for the disk. */

/** Of one transaction: what is beyond waits for the next. In UTF-16 code units of the bodies; the last one may go beyond. */
const MAX_CALLS = 5000;
const MAX_SIZE = 16 * 1024 * 1024;
/**
 * After bodies of so many code units, in large transactions, all is collected, in some 8 ms: V8 alone would let twice what lives
 * here gather. What small ones leave behind dies young.
 */
const COLLECT_EVERY = 4 * 1024 * 1024;
const LARGE_SIZE = 256 * 1024;
/** When nothing was asked for so long, room is given back to the disk, in ms. */
const QUIET_MS = 500;

if (parentPort !== null) await serve(parentPort, workerData);

async function serve(port: MessagePort, options: ThreadOptions): Promise<void> {
  const tell = (told: Told): void => port.postMessage(told);
  try {
    const { transactions, close } = await open(options);
    let quiet: NodeJS.Timeout | undefined;
    let uncollected = 0;
    const tidy = (): void => {
      if (transactions.tidy()) quiet = setTimeout(tidy, 0);
    };
    port.on('message', (first: Asked) => {
      clearTimeout(quiet);
      const { calls, size, isLast } = gathered(port, first);
      if (calls.length > 0) tell({ answers: transactions.run(calls) });
      if (size >= LARGE_SIZE) uncollected += size;
      if (uncollected > COLLECT_EVERY) {
        uncollected = 0;
        globalThis.gc?.({ type: 'major', execution: 'sync' });
      }
      if (isLast) {
        close();
        port.close();
      } else quiet = setTimeout(tidy, QUIET_MS);
    });
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    tell({ opened: true });
  } catch (error) {
    tell({ failed: toldError(error) });
    port.close();
  }
}

async function open(options: ThreadOptions): Promise<{ transactions: Transactions; close: () => void }> {
  const { path, works } = options;
  const db = await openQueueFile(path);
  let lock: Awaited<ReturnType<typeof lockForWork>> | undefined;
  try {
    if (works) lock = await lockForWork(path);
    const file = new QueueFile(db, options);
    const transactions = new Transactions(file);
    if (works) {
      // What a worker had in hand that was killed.
      const [answer] = transactions.run([{ call: 0, command: { do: 'giveBack' } }]);
      if (answer !== undefined && 'error' in answer) throw errorFrom(answer.error);
    }
    const close = (): void => {
      file.close();
      lock?.close();
    };
    return { transactions, close };
  } catch (error) {
    db.close();
    lock?.close();
    throw queueFileError(error, path);
  }
}

/** `first` and whatever came while the last transaction ran. */
function gathered(
  port: MessagePort,
  first: Asked,
): { calls: readonly Call[]; size: number; isLast: boolean } {
  const calls: Call[] = [];
  let size = 0;
  let next: Asked | undefined = first;
  while (next !== undefined) {
    if (next === 'close') return { calls, size, isLast: true };
    for (const call of next) {
      calls.push(call);
      if (call.command.do === 'publish') for (const { body } of call.command.messages) size += body.length;
    }
    if (calls.length >= MAX_CALLS || size >= MAX_SIZE) break;
    next = askedOn(port);
  }
  return { calls, size, isLast: false };
}

function askedOn(port: MessagePort): Asked | undefined {
  const received: { message: Asked } | undefined = receiveMessageOnPort(port);
  return received?.message;
}
