import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSqsServer, type SqsServer } from '../../harness/sqs-server.ts';
import { parseQueue } from '../../src/config/queue-address.ts';
import { forwardAction } from '../../src/events/action/forward/forward-action.ts';
import type { ForwardedMessage, ForwardTarget } from '../../src/events/action/forward/forward-target.ts';
import { openForwardTarget } from '../../src/events/action/forward/open-forward-target.ts';
import type { Action } from '../../src/events/action/action.ts';
import { openSqsSource } from '../../src/events/sqs/open-sqs-source.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { eventsIn, taskOf } from './forward-support.ts';
import { optionsFor, receiveAll } from './sqs-support.ts';

const PUT = readFileSync(join(import.meta.dirname, 'messages/ceph-put.json'), 'utf8');
const never = new AbortController().signal;

describe('forwarding', () => {
  const target = (send: ForwardTarget['send']): Action<undefined> =>
    forwardAction({ where: 'there', send, [Symbol.asyncDispose]: async () => undefined });

  it('gives each record an id that stays, and each key a group', async () => {
    const sent: ForwardedMessage[] = [];
    await using action = target(async (message) => void sent.push(message));
    for (const messageId of ['a', 'a', 'b'])
      expect(await action.act(taskOf(PUT, messageId), never)).toEqual({ outcome: 'done' });
    const [first, again, other] = sent;
    expect(again).toEqual(first);
    expect(other!.id).not.toBe(first!.id);
    expect(other!.group).toBe(first!.group);
    expect(eventsIn(first!.body)).toEqual(eventsIn(PUT));
    const [event] = eventsIn(PUT);
    expect(action.route(event!)).toMatchObject({ kind: 'task', place: `${event!.bucket}/${event!.key}` });
  });

  it('ends with the reason of its signal, though nobody answers', async () => {
    await using action = target(() => new Promise(() => undefined));
    const ended = new AbortController();
    const acted = action.act(taskOf(PUT, 'a'), ended.signal);
    ended.abort(new Error('enough'));
    await expect(acted).rejects.toThrow('enough');
  });

  it.each([
    'http://u:secret@h/x',
    'no url secret',
    'sqs:a/secret',
    'nats://u:secret@h/a.*',
    'amqp://u:secret@h',
  ])('to %s is refused, without its secret', async (url) => {
    const opened = openForwardTarget(url, { aws: {}, log: new RecordingLog() });
    const fault: unknown = await opened.catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(fault)).not.toContain('secret');
  });
});

describe('forwarding to SQS', () => {
  let server: SqsServer;
  beforeAll(async () => (server = await startSqsServer()));
  afterAll(async () => await server[Symbol.asyncDispose]());

  const open = async (queue: string): Promise<Action<undefined>> => {
    const { endpoint, region, credentials } = server;
    const aws = { endpoint, region, credentials };
    return forwardAction(await openForwardTarget(`sqs:${queue}`, { aws, log: new RecordingLog() }));
  };

  it('is read by a source as the same events', async () => {
    const queue = await server.makeQueue();
    await using action = await open(queue.name);
    const bodies = Array.from({ length: 57 }, (_, at) =>
      PUT.replaceAll('"key": "', `"key": "${at}\uffff ü `),
    );
    await Promise.all(bodies.map((body, at) => action.act(taskOf(body, `m${at}`), never)));
    await using source = await openSqsSource({ ...optionsFor(server), queue: parseQueue(queue.name) });
    const deliveries = await receiveAll(source, 57);
    const told = deliveries.flatMap(({ body }) => eventsIn(body));
    expect(new Set(told.map(({ key }) => key)).size).toBe(57);
    expect(told).toEqual(expect.arrayContaining(bodies.flatMap(eventsIn)));
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  });

  it('keeps the order of a key in a FIFO queue, and a record that is sent again is there once', async () => {
    const queue = await server.makeQueue({}, 'forwarded.fifo');
    await using action = await open(queue.url);
    for (let at = 0; at < 5; at++)
      for (let times = 0; times < 2; times++) await action.act(taskOf(PUT, `m${at}`), never);
    expect((await queue.inspect()).ready).toHaveLength(5);
  });

  it('to a queue that is not there fails for good', async () => {
    await using action = await open('not-there');
    await expect(action.act(taskOf(PUT, 'a'), never)).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: false,
    });
  });

  it('to nobody fails for now', async () => {
    const aws = { ...server, endpoint: 'http://127.0.0.1:1' };
    await using action = forwardAction(await openForwardTarget('sqs:x', { aws, log: new RecordingLog() }));
    const fault: unknown = await action.act(taskOf(PUT, 'a'), never).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(IsyncError);
    expect(fault).toMatchObject({ code: 'UNREACHABLE', retryable: true });
  });

  it('tells each record what became of it alone', async () => {
    const queue = await server.makeQueue({ MaximumMessageSize: '2048' });
    await using action = await open(queue.name);
    const small = JSON.stringify(JSON.parse(PUT));
    const large = small.replace('"x-amz-id-2":"', `"x-amz-id-2":"${'x'.repeat(5000)}`);
    const acted = [small, large, small].map((body, at) => action.act(taskOf(body, `m${at}`), never));
    const results = await Promise.allSettled(acted);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { retryable: false } });
    expect((await queue.inspect()).ready).toHaveLength(2);
  });
});
