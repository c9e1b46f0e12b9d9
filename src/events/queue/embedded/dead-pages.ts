import type { Row } from '../../state/known-object-row.ts';
import type { DeadMessage } from '../event-queue.ts';
import { blob, number, text } from './columns.ts';
import type { DeadPage } from './commands.ts';
import type { QueueFile } from './queue-file.ts';

/** Of one page, messages and bytes of their bodies: the last one may go beyond. */
const PAGE_MESSAGES = 100;
const PAGE_BYTES = 4 * 1024 * 1024;

const SELECT = `SELECT burial, dead.id, reason, attempts, sentMs, buriedMs, body
  FROM dead JOIN bodies ON bodies.seq = dead.seq`;

/** Those buried after the burial numbered `after`. */
export function deadPage(file: QueueFile, after: number): DeadPage {
  const messages: DeadMessage[] = [];
  let [last, bytes] = [after, 0];
  while (messages.length < PAGE_MESSAGES && bytes < PAGE_BYTES) {
    // One at a time: a page of the largest bodies would fill the memory.
    const row = file.row(`${SELECT} WHERE burial > ? ORDER BY burial LIMIT 1`, last);
    if (row === undefined) return { messages, next: undefined };
    const message = deadMessage(row);
    messages.push(message);
    last = number(row[0]);
    bytes += message.body.length;
  }
  return { messages, next: last };
}

export function deadOf(file: QueueFile, id: string): DeadMessage | undefined {
  const row = file.row(`${SELECT} WHERE dead.id = ? ORDER BY burial DESC LIMIT 1`, id);
  return row === undefined ? undefined : deadMessage(row);
}

function deadMessage([, id, reason, attempts, sentMs, buriedMs, body]: Row): DeadMessage {
  return {
    id: text(id),
    body: blob(body).toString(),
    reason: text(reason),
    attempts: number(attempts),
    sentMs: number(sentMs),
    buriedMs: number(buriedMs),
  };
}
