import { onTestFinished } from 'vitest';
import { HttpOrigin, type HttpOriginOptions } from '../../../src/mirror/origin/http/http-origin.ts';
import type { Origin, OriginAnswer, OriginObject } from '../../../src/mirror/origin/origin.ts';
import type { MirrorRule } from '../../../src/mirror/rule.ts';
import { type HostileOrigin, type OriginReply, startHostileOrigin } from '../../../harness/hostile-origin.ts';

export const VIA_ID = 'isync-0123456789abcdef';

/** Never waits in a test that does not say so. */
const TIMEOUTS = { connect: 60_000, firstByte: 60_000, idle: 60_000, total: 120_000 };

export function ruleOf(rule: Partial<MirrorRule> = {}): MirrorRule {
  return {
    name: 'rules[0]',
    origins: [],
    matches: () => true,
    key: { strip: '', add: '' },
    send: {},
    keeps: () => false,
    query: 'drop',
    takesType: () => true,
    maxSize: 2 ** 30,
    timeouts: TIMEOUTS,
    concurrency: 16,
    bwlimit: undefined,
    allowPrivate: true,
    ...rule,
  };
}

export function timeouts(some: Partial<MirrorRule['timeouts']>): MirrorRule['timeouts'] {
  return { ...TIMEOUTS, ...some };
}

/** A server that ends with the test. */
export async function hostile(reply: OriginReply, host?: string): Promise<HostileOrigin> {
  const server = await startHostileOrigin(reply, host);
  onTestFinished(async () => await server[Symbol.asyncDispose]());
  return server;
}

export function originAt(
  base: string,
  rule: Partial<MirrorRule> = {},
  options: Partial<HttpOriginOptions> = {},
): HttpOrigin {
  const origin = new HttpOrigin(base, ruleOf(rule), { viaId: VIA_ID, ...options });
  onTestFinished(async () => await origin[Symbol.asyncDispose]());
  return origin;
}

/** An origin in front of a server that answers so. */
export async function originOf(
  reply: OriginReply,
  rule: Partial<MirrorRule> = {},
): Promise<{ readonly server: HostileOrigin; readonly origin: HttpOrigin }> {
  const server = await hostile(reply);
  return { server, origin: originAt(`${server.url}/`, rule) };
}

export function ask(
  origin: Origin,
  key = 'f',
  method: 'GET' | 'HEAD' = 'GET',
  query?: string,
  signal = new AbortController().signal,
): Promise<OriginAnswer> {
  return origin.ask(method, { key, query }, signal);
}

export async function found(origin: Origin, key?: string, method?: 'GET' | 'HEAD'): Promise<OriginObject> {
  const answer = await ask(origin, key, method);
  if (answer.kind !== 'found') throw new Error(answer.kind);
  return answer;
}

export async function textOf(object: OriginObject): Promise<string> {
  return String(await bytesOf(object));
}

export async function bytesOf({ bytes }: Pick<OriginObject, 'bytes'>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
