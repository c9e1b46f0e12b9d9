import { webhookSchema, type WebhookConfig } from '../config/schemas/webhook.ts';
import type { DeadMessage, EventQueue } from '../events/queue/event-queue.ts';
import { openEventQueue } from '../events/queue/open-event-queue.ts';
import { parseMessage } from '../events/parse/parse-message.ts';
import { IsyncError } from '../model/isync-error.ts';
import { printable } from '../observe/printable.ts';
import { formatCount } from '../observe/units.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { queuePlace } from './webhook/places.ts';

/** Stands for every message where ids are asked for. */
const ALL = 'all';

type Work = LastingWork<WebhookConfig>;

export const runQueue = command(async (queue, { output }) => {
  const { waiting, inHand, dead, oldestMs } = await queue.counts();
  const oldestSeconds = oldestMs === undefined ? undefined : Math.max(0, (Date.now() - oldestMs) / 1000);
  const age = oldestSeconds === undefined ? '' : `, the oldest for ${Math.round(oldestSeconds)} s`;
  output.text(
    `${queue.where}: ${formatCount(waiting, 'message')} waiting, ${inHand} in hand${age}; ${dead} dead`,
  );
  return output.done({ queue: queue.where, waiting, inHand, dead, oldestSeconds });
});

/** For programs an object for each message, without its body, which may be large: `show` has that. */
export const runDeadList = command(async (queue, { output, signal }) => {
  let messages = 0;
  for await (const message of queue.dead.list()) {
    if (signal.aborted) return EXIT.INTERRUPTED;
    messages++;
    const { body: _, ...shown } = withTimes(message);
    output.text(lineOf(message));
    output.object(shown);
  }
  return output.done({ messages });
});

export const runDeadShow = command(async (queue, { output, words }) => {
  const id = words['id'] ?? '';
  const message = await queue.dead.get(id);
  if (message === undefined) throw noSuch(id);
  const { body, ...others } = withTimes(message);
  for (const [name, value] of Object.entries(others))
    output.text(`${name.padEnd(8)} ${printable(String(value))}`);
  output.text('');
  for (const line of body.split('\n')) output.text(printable(line));
  return output.done(withTimes(message));
});

export const runDeadReplay = command(async (queue, given) => {
  const messages = await changed(queue, given, (id) => queue.dead.replay(id));
  given.output.text(`${formatCount(messages, 'message')} put back into the queue`);
  return given.output.done({ messages });
});

export const runDeadDrop = command(async (queue, given) => {
  const messages = await changed(queue, given, (id) => queue.dead.drop(id));
  given.output.text(`${formatCount(messages, 'message')} dropped`);
  return given.output.done({ messages });
});

function command(run: (queue: EventQueue, given: Work) => Promise<ExitCode>) {
  return lastingCommand(webhookSchema, FINISHING, async (given) => {
    const { config, log } = given;
    await using queue = await openEventQueue(queuePlace(config), {
      works: false,
      maxMessages: config.queueMax,
      minFreeBytes: config.minFree,
      isThere: true,
      log,
    });
    return await run(queue, given);
  });
}

/** Changes the messages that were named, and returns how many. */
async function changed(
  { dead }: EventQueue,
  { list, signal }: Work,
  change: (id: string) => Promise<number>,
): Promise<number> {
  if (list.includes(ALL) && list.length > 1)
    throw new IsyncError('USAGE', `"${ALL}" stands for every message; give it alone`);
  let count = 0;
  if (list.includes(ALL)) {
    // Each once: what is buried meanwhile is not what was asked for.
    const ids = new Set<string>();
    for await (const { id } of dead.list()) ids.add(id);
    for (const id of ids) {
      signal.throwIfAborted();
      count += await change(id);
    }
    return count;
  }
  // All or none: a mistyped id is told before anything is changed.
  for (const id of list) if ((await dead.get(id)) === undefined) throw noSuch(id);
  for (const id of new Set(list)) count += await change(id);
  return count;
}

function noSuch(id: string): IsyncError {
  return new IsyncError('USAGE', `there is no dead message ${printable(id)}`, {
    hint: '"isync webhook queue dead list" lists them.',
  });
}

function withTimes({ sentMs, buriedMs, ...message }: DeadMessage) {
  return { ...message, sent: new Date(sentMs).toISOString(), buried: new Date(buriedMs).toISOString() };
}

/** `ID  TIME  ATTEMPTS×  BUCKET/KEY: REASON` */
function lineOf({ id, buriedMs, attempts, reason, body }: DeadMessage): string {
  const [record] = parseMessage(body, { keyEncoding: 'auto' });
  const what = record?.outcome === 'event' ? `${record.event.bucket}/${record.event.key}: ` : '';
  return `${printable(id)}  ${new Date(buriedMs).toISOString()}  ${attempts}×  ${printable(`${what}${reason}`)}`;
}
