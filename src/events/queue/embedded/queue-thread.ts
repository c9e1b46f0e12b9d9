import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Call, ThreadOptions, Told } from './commands.ts';
import { lockForWork, openQueueFile, queueFileError } from './open-queue-file.ts';
import { QueueFile } from './queue-file.ts';
import { errorFrom, toldError } from './told-error.ts';
import { type AskedCommand, Transactions } from './transactions.ts';

/** The thread that has the queue file: it alone waits for the disk. */

/** Of one transaction: what is beyond waits for the next. In UTF-16 code units of the bodies; the last one may go beyond. */
const MAX_CALLS = 5000;
const MAX_SIZE = 16 * 1024 * 1024;
/** When nothing was asked for so long, room is given back to the disk, in ms. */
const QUIET_MS = 500;

if (parentPort !== null) await serve(parentPort, workerData);

async function serve(port: MessagePort, options: ThreadOptions): Promise<void> {
  const tell = (told: Told): void => port.postMessage(told);
  try {
    const { transactions, close } = await open(options);
    let quiet: NodeJS.Timeout | undefined;
    const tidy = (): void => {
      if (transactions.tidy()) quiet = setTimeout(tidy, 0);
    };
    port.on('message', (first: Call) => {
      clearTimeout(quiet);
      const { calls, isLast } = gathered(port, first);
      if (calls.length > 0) tell({ answers: transactions.run(calls) });
      if (isLast) {
        close();
        port.close();
      } else quiet = setTimeout(tidy, QUIET_MS);
    });
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
function gathered(port: MessagePort, first: Call): { calls: readonly AskedCommand[]; isLast: boolean } {
  const calls: AskedCommand[] = [];
  let size = 0;
  let next: Call | undefined = first;
  while (next !== undefined) {
    if (next === 'close') return { calls, isLast: true };
    calls.push(next);
    if (next.command.do === 'publish') for (const { body } of next.command.messages) size += body.length;
    if (calls.length >= MAX_CALLS || size >= MAX_SIZE) break;
    next = callOn(port);
  }
  return { calls, isLast: false };
}

function callOn(port: MessagePort): Call | undefined {
  const received: { message: Call } | undefined = receiveMessageOnPort(port);
  return received?.message;
}
