import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** Something in front of an SQS server that counts its calls, and answers some of them itself. */
export interface SqsProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** All calls, in the order in which they arrived. */
  readonly calls: readonly SqsCall[];
  /** Those of one action. */
  readonly callsOf: (action: string) => readonly SqsCall[];
  /** Says what becomes of a call; undefined lets it through. */
  fault: ((call: SqsCall) => Fault | undefined) | undefined;
  /** Says which entries of a batch call fail; they do not reach the server. */
  failEntry: ((entry: SqsEntry, call: SqsCall) => EntryFault | undefined) | undefined;
  /** Answers are held for so long, in ms, after the server has done what was asked. */
  delayMs: number;
  /** Polls that ask to wait longer wait so long only, in s. */
  longestWaitS: number;
  /** Cuts all connections now. */
  cut(): void;
}

export interface SqsCall {
  /** As SQS names it: ReceiveMessage, DeleteMessageBatch, … */
  readonly action: string;
  readonly body: SqsBody;
  /** Of a batch call. */
  readonly entries: readonly SqsEntry[];
  /** The access key that signed it. */
  readonly accessKey: string | undefined;
  readonly arrivedMs: number;
  /** When its answer began, on the clock of performance.now(), and what it was; undefined until then, or where it got none. */
  answeredMs: number | undefined;
  answer: SqsBody | undefined;
}

export type SqsBody = Readonly<Record<string, unknown>>;

export interface SqsEntry {
  readonly Id: string;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout?: number;
}

export interface EntryFault {
  readonly code: string;
  /** Default true. */
  readonly senderFault?: boolean;
}

export type Fault =
  /** The connection is cut, and the server never hears of it. */
  | 'cut'
  /** The server does what was asked, and the connection is cut instead of the answer. */
  | 'cut answer'
  /** The server never hears of it, and nobody answers. */
  | 'ignore'
  /** An error of SQS. */
  | { readonly status: number; readonly code: string; readonly message?: string }
  /** A page of somebody else. */
  | { readonly status: number; readonly page: string };

export const ACCESS_DENIED: Fault = { status: 403, code: 'AccessDeniedException' };
export const THROTTLED: Fault = { status: 400, code: 'RequestThrottled' };
export const UNAVAILABLE: Fault = { status: 503, code: 'ServiceUnavailable' };

export async function startSqsProxy(endpoint: string): Promise<SqsProxy> {
  const calls: SqsCall[] = [];
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  // Else a call of a slow test may come to a connection just as it is closed, and be counted twice.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: SqsProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    callsOf: (action) => calls.filter((call) => call.action === action),
    fault: undefined,
    failEntry: undefined,
    delayMs: 0,
    longestWaitS: Infinity,
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = callFrom(request, (await buffer(request)).toString());
    calls.push(call);
    const fault = proxy.fault?.(call);
    if (fault === 'cut') {
      response.destroy();
      return;
    }
    if (fault === 'ignore') return;
    if (fault !== undefined && fault !== 'cut answer') {
      refuse(response, fault);
      return;
    }
    const answered = await passOn(call, request);
    if (proxy.delayMs > 0) await delay(proxy.delayMs);
    if (fault === 'cut answer') {
      response.destroy();
      return;
    }
    // Nobody hears of what a poll has taken whose client is gone; the server behind has no eye for that.
    if (call.action === 'ReceiveMessage' && response.destroyed) {
      await giveBack(call, answered.body, request);
      return;
    }
    call.answer = answered.body;
    call.answeredMs = performance.now();
    response.writeHead(answered.status, answered.headers).end(JSON.stringify(answered.body));
  }

  async function giveBack({ body }: SqsCall, taken: SqsBody, request: IncomingMessage): Promise<void> {
    const messages = (taken['Messages'] ?? []) as readonly Received[];
    if (messages.length === 0) return;
    const Entries = messages.map(({ ReceiptHandle }, index) => ({
      Id: String(index),
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    await send('ChangeMessageVisibilityBatch', { QueueUrl: body['QueueUrl'], Entries }, request);
  }

  function send(action: string, body: SqsBody, { headers }: IncomingMessage): Promise<Response> {
    return fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': JSON_TYPE,
        'x-amz-target': `AmazonSQS.${action}`,
        authorization: headers.authorization ?? '',
      },
      body: JSON.stringify(body),
    });
  }

  function withWait(body: SqsBody): SqsBody {
    const { WaitTimeSeconds: wait } = body;
    return typeof wait === 'number' && wait > proxy.longestWaitS
      ? { ...body, WaitTimeSeconds: proxy.longestWaitS }
      : body;
  }

  async function passOn(call: SqsCall, request: IncomingMessage): Promise<Answered> {
    const faults = new Map(call.entries.map((entry) => [entry.Id, proxy.failEntry?.(entry, call)]));
    const failed = call.entries.filter(({ Id }) => faults.get(Id) !== undefined);
    const Failed = failed.map(({ Id }) => {
      const { code, senderFault = true } = faults.get(Id)!;
      return { Id, Code: code, SenderFault: senderFault, Message: 'as the test wants it' };
    });
    const Entries = call.entries.filter((entry) => !failed.includes(entry));
    const headers = { 'content-type': JSON_TYPE };
    if (failed.length > 0 && Entries.length === 0)
      return { status: 200, headers, body: { Successful: [], Failed } };
    const sent = failed.length > 0 ? { ...call.body, Entries } : withWait(call.body);
    const answer = await send(call.action, sent, request);
    const queryError = answer.headers.get('x-amzn-query-error');
    const body = (await answer.json()) as SqsBody;
    return {
      status: answer.status,
      headers: { ...headers, ...(queryError !== null && { 'x-amzn-query-error': queryError }) },
      body:
        failed.length > 0 ? { ...body, Failed: [...((body['Failed'] as unknown[]) ?? []), ...Failed] } : body,
    };
  }
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: SqsBody;
}

const JSON_TYPE = 'application/x-amz-json-1.0';

function callFrom({ headers }: IncomingMessage, text: string): SqsCall {
  const body = JSON.parse(text === '' ? '{}' : text) as SqsBody;
  return {
    action: String(headers['x-amz-target']).replace('AmazonSQS.', ''),
    body,
    entries: (body['Entries'] as SqsEntry[] | undefined) ?? [],
    accessKey: /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1],
    arrivedMs: performance.now(),
    answeredMs: undefined,
    answer: undefined,
  };
}

function refuse(response: ServerResponse, fault: Exclude<Fault, string>): void {
  if ('page' in fault) {
    response.writeHead(fault.status, { 'content-type': 'text/html' }).end(fault.page);
    return;
  }
  const { status, code, message = 'as the test wants it' } = fault;
  const body = { __type: `com.amazonaws.sqs#${code}`, message };
  response.writeHead(status, { 'content-type': JSON_TYPE }).end(JSON.stringify(body));
}

/** Ids of the messages that a reader has given back: asked to be hidden for another time than `heldS`, its extensions' own. */
export function releasedThrough(proxy: SqsProxy, heldS: number): ReadonlySet<string> {
  const ids = new Map<unknown, string>();
  for (const { answer } of proxy.callsOf('ReceiveMessage'))
    for (const { MessageId, ReceiptHandle } of (answer?.['Messages'] ?? []) as readonly Received[])
      ids.set(ReceiptHandle, MessageId);
  const given = proxy
    .callsOf('ChangeMessageVisibilityBatch')
    .flatMap(({ entries }) => entries)
    .filter(({ VisibilityTimeout }) => VisibilityTimeout !== heldS);
  return new Set(given.flatMap(({ ReceiptHandle }) => ids.get(ReceiptHandle) ?? []));
}

interface Received {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
}
