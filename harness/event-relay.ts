import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Posts what a store tells to a webhook, again and again until it is taken. A Ceph 16.2 that is to keep its notifications itself
 * (`persistent`) may send none at all any more, once whom it posts to was killed.
 */
export interface EventRelay extends AsyncDisposable {
  /** For the store. */
  readonly url: string;
  /** Bodies that have come. */
  readonly told: number;
  /** Those of them that the webhook has not taken yet. */
  readonly left: number;
}

/** Posts under way at a time. */
const AT_ONCE = 16;
/** Until a post that was refused, or lost, is tried again, in ms. */
const AGAIN_MS = 100;
/** Longest wait for an answer, in ms. */
const ANSWER_MS = 30_000;

/** @param to where the webhook listens, or will */
export async function startEventRelay(to: string): Promise<EventRelay> {
  const waiting: string[] = [];
  const ended = new AbortController();
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let told = 0;
  let posting = 0;
  const senders = new Set<Promise<void>>();

  const send = async (): Promise<void> => {
    for (let body = waiting.shift(); body !== undefined && !ended.signal.aborted; body = waiting.shift()) {
      while (!ended.signal.aborted && !(await isTaken(to, body, agent)))
        await delay(AGAIN_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const listen = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    waiting.push(await text(asked));
    told += 1;
    // Ceph lets whoever puts wait for this answer.
    response.end();
    if (posting >= AT_ONCE) return;
    posting += 1;
    const sender = send().finally(() => {
      posting -= 1;
      senders.delete(sender);
    });
    senders.add(sender);
  };
  const http = createServer(
    (asked, response) => void listen(asked, response).catch(() => response.destroy()),
  );
  // Ceph posts once: not to a connection that is being closed.
  http.keepAliveTimeout = 0;
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    get told() {
      return told;
    },
    get left() {
      return waiting.length + posting;
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      agent.destroy();
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
      await Promise.all(senders);
    },
  };
}

/** Whether it was answered with 200. Never rejects. */
function isTaken(to: string, body: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const post = request(to, { method: 'POST', agent, timeout: ANSWER_MS }, (response) => {
      response.resume();
      response.on('close', () => resolve(response.complete && response.statusCode === 200));
    });
    post.on('timeout', () => post.destroy());
    post.on('error', () => resolve(false));
    post.end(body);
  });
}
