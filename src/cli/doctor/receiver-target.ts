import { lookup } from 'node:dns/promises';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { SenderConfig } from '../../config/schemas/sender.ts';
import { certificateFacts, certificateFault, dayOf } from '../../http/certificate.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { proxyFor } from '../../http/proxy-for.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { connect, type TlsOptions } from '../../sender/ws/connect.ts';
import { connectError, unreachable } from '../../sender/ws/connect-errors.ts';
import { NO_ANSWER } from '../../sender/ws/connect-hints.ts';
import { readReceiverAccess } from '../locations/receiver.ts';
import { trustSystemCas } from '../trust-system-cas.ts';
import { type Check, failure, ok, passing, warning } from './check.ts';
import { checkClock } from './clock.ts';
import { checkRoomAt } from './store-folder.ts';

/** For a packet to come back on a bad link, and to be sent again, in ms. */
const ANSWER_MS = 10_000;

/**
 * Looks at a receiver step by step, as far as one gets: its name, its port, its certificate, its clock, then HELLO in mode `read`, which
 * disturbs no scan that runs.
 */
export async function* receiverChecks(config: SenderConfig, url: URL): AsyncGenerator<Check> {
  let access: ReturnType<typeof readReceiverAccess>;
  try {
    access = readReceiverAccess(config);
  } catch (error) {
    yield failure('token and certificates', error);
    return;
  }
  const { tls } = access;
  const isTls = url.protocol === 'wss:';
  if (isTls && tls.ca === undefined) trustSystemCas();
  const proxy = isTls ? proxyFor(url) : undefined;
  if (proxy !== undefined) {
    const check = await checkProxy(proxy);
    yield check;
    if (check.level !== 'fail') yield* checkSession(config, url, access);
    return;
  }
  const steps = [checkName, checkPort, ...(isTls ? [checkCertificate] : [])];
  for (const step of steps) {
    const check = await step(url, tls);
    yield check;
    if (check.level === 'fail') return;
  }
  yield checkClock(await clockAheadAt(url, tls), 'the receiver');
  yield* checkSession(config, url, access);
}

async function checkName({ hostname, host }: URL): Promise<Check> {
  const name = 'name';
  const bare = bareHost(hostname);
  if (isIP(bare) !== 0) return ok(name, `${bare} is an address`);
  try {
    const found = await lookup(bare, { all: true });
    return ok(name, `${bare} is ${found.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    return failure(name, connectError(error, host));
  }
}

async function checkPort(url: URL): Promise<Check> {
  const beganMs = performance.now();
  try {
    const socket = connectTcp({ host: bareHost(url.hostname), port: portOf(url) });
    await within(socket, 'connect', url.host);
    socket.destroy();
    return ok('port', `${portOf(url)} answers within ${Math.ceil(performance.now() - beganMs)} ms`);
  } catch (error) {
    return failure('port', connectError(error, url.host));
  }
}

/** What lies behind it only the session tells. */
async function checkProxy(proxy: URL): Promise<Check> {
  const check = await checkPort(proxy);
  const hint =
    'Check HTTPS_PROXY or ALL_PROXY, and that the proxy runs; NO_PROXY names what is reached without.';
  return { ...check, name: 'proxy', ...(check.level === 'fail' && { hint }) };
}

/** The handshake of a sender, with the same trust. */
async function checkCertificate(url: URL, tls: TlsOptions): Promise<Check> {
  const name = 'certificate';
  try {
    const host = bareHost(url.hostname);
    const socket: TLSSocket = connectTls({
      host,
      port: portOf(url),
      ...(isIP(host) === 0 && { servername: host }),
      ...tls,
    });
    await within(socket, 'secureConnect', url.host);
    const facts = certificateFacts(socket.getPeerCertificate().raw);
    socket.destroy();
    if (facts === undefined) return ok(name, 'trusted');
    const fault = certificateFault(facts, Date.now());
    if (fault !== undefined) return warning(name, fault.message, fault.hint);
    return ok(name, `for ${facts.names.join(', ')}, until ${dayOf(facts.validToMs)}`);
  } catch (error) {
    return failure(name, connectError(error, url.host));
  }
}

/** Resolves once the socket stands; rejects with what it failed with, or UNREACHABLE. */
async function within(socket: Socket, event: 'connect' | 'secureConnect', where: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = (): void =>
    reject(unreachable(where, `no answer within ${ANSWER_MS / 1000} s`, undefined, NO_ANSWER));
  const timer = setTimeout(late, ANSWER_MS);
  socket.once(event, resolve);
  socket.on('error', reject);
  socket.once('close', () => reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })));
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns how far our clock is ahead of what the answer to a health check is dated with, in ms; undefined where it tells no date. */
async function clockAheadAt(url: URL, tls: TlsOptions): Promise<number | undefined> {
  const isTls = url.protocol === 'wss:';
  const at = new URL(url.href.replace(/^ws/, 'http'));
  at.pathname = `${at.pathname.replace(/\/+$/, '')}/healthz`;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const options = { method: 'GET', timeout: ANSWER_MS, agent: false as const };
  const request = isTls ? requestHttps(at, { ...options, ...tls }) : requestHttp(at, options);
  request.once('response', (response) => {
    resolve(response.headers.date);
    response.destroy();
  });
  request.once('timeout', () => request.destroy());
  request.once('upgrade', (_response, socket) => socket.destroy());
  request.on('error', () => resolve(undefined));
  request.once('close', () => resolve(undefined));
  request.end();
  const date = Date.parse((await promise) ?? '');
  return Number.isNaN(date) ? undefined : Date.now() - date;
}

async function* checkSession(
  { device, digest }: SenderConfig,
  url: URL,
  { token, tls }: ReturnType<typeof readReceiverAccess>,
): AsyncGenerator<Check> {
  const given = typeof token === 'function' ? await token() : token;
  if (given !== undefined && url.protocol === 'ws:' && !isLoopback(url.hostname))
    yield warning('encryption', 'the token and all content cross the network in clear text', 'Use wss://.');
  const name = 'token';
  const signal = AbortSignal.timeout(3 * ANSWER_MS);
  try {
    const { socket, welcome } = await connect({
      url: url.href,
      token: given,
      tls,
      device,
      mode: 'read',
      digest,
      signal,
    });
    socket.terminate();
    if (given === undefined)
      yield isLoopback(url.hostname)
        ? ok(name, 'none is asked for')
        : warning(
            name,
            `none is asked for: anybody who reaches it may send as ${device}`,
            'Start the receiver with --tokens.',
          );
    else if (welcome.reads === true)
      yield failure(name, new IsyncError('AUTH_REFUSED', `that of ${device} is for reading only`));
    else yield ok(name, `accepted for ${device}`);
    yield ok(
      'version',
      `the receiver is ${welcome.software}, and speaks version ${welcome.version} of the protocol`,
    );
    if (welcome.store === undefined)
      yield warning('store', 'the receiver can not tell which store it has', 'Its log says why.');
    yield checkRoomAt(welcome.store?.freeBytes);
  } catch (error) {
    yield error instanceof IsyncError && error.code === 'BUSY'
      ? passing(name, error)
      : failure(nameOf(error), error);
  }
}

/** What of a session an error is about. */
function nameOf(error: unknown): string {
  if (!(error instanceof IsyncError)) return 'session';
  if (error.code === 'AUTH_REFUSED' || error.code === 'CONFIG_INVALID') return 'token';
  if (error.code === 'VERSION_UNSUPPORTED') return 'version';
  return error.code === 'TLS_FAILED' || errnoOf(error.cause)?.startsWith('ERR_SSL') === true
    ? 'certificate'
    : 'session';
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Of a URL without one it is that of its scheme: an address that named none has got that of receivers. */
function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'wss:' || protocol === 'https:' ? 443 : 80;
}
