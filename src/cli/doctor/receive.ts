import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { listTokens } from '../../access/tokens.ts';
import { openTokenFile } from '../../access/token-file.ts';
import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import { certificateFacts, certificateFault, dayOf } from '../../http/certificate.ts';
import { createServer } from '../../http/create-server.ts';
import { isLoopback, type ListenAddress, listenError } from '../../http/listen-address.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { formatCount } from '../../observe/units.ts';
import { checkReceiverExposure } from '../../receiver/receiver.ts';
import { RECEIVER_LIMITS } from '../../receiver/receiver-limits.ts';
import { filesOfReceiver } from '../open-files.ts';
import { readTlsFiles } from '../tls-files.ts';
import { bucketChecks } from './bucket.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { machineChecks } from './machine.ts';
import { silentLog } from './silent-log.ts';
import { folderChecks } from './store-folder.ts';

/** For who has the port to answer, in ms. */
const ANSWER_MS = 2_000;

/** All that `isync receive` needs, with the same settings. */
export async function* receiveChecks(config: ReceiveConfig): AsyncGenerator<Check> {
  yield* machineChecks(filesOfReceiver(config));
  const { store } = config;
  yield* store.kind === 's3' ? bucketChecks(store, config) : folderChecks(store.path, config.minFree);
  yield await checkTokens(config);
  yield checkExposed(config);
  yield checkTls(config);
  yield await checkListen(config);
}

async function checkTokens({ tokens }: ReceiveConfig): Promise<Check> {
  const name = 'tokens';
  if (tokens === undefined) return ok(name, 'none are asked for');
  try {
    // As the receiver reads it.
    openTokenFile(tokens, silentLog)[Symbol.dispose]();
    const entries = await listTokens(tokens);
    const devices = new Set(entries.map(({ device }) => device));
    if (devices.size === 0)
      return warning(
        name,
        `${tokens} has none, so that no device is let in`,
        `isync token add DEVICE --tokens ${tokens}`,
      );
    return ok(name, `of ${formatCount(devices.size, 'device')}`);
  } catch (error) {
    return failure(name, error);
  }
}

function checkExposed(config: ReceiveConfig): Check {
  const name = 'who may send';
  const { listen, tokens, tlsCert, insecure } = config;
  try {
    checkReceiverExposure(config);
  } catch (error) {
    return failure(name, error);
  }
  if (isLoopback(listen.host)) return ok(name, 'this machine alone can connect');
  if (tokens !== undefined && tlsCert === undefined)
    return warning(
      name,
      'without TLS, tokens and data cross the network in the clear',
      'Give --tls-cert and --tls-key.',
    );
  if (insecure && tokens === undefined)
    return warning(name, 'everybody on the network may write (--insecure)', 'Give it tokens (--tokens).');
  return ok(name, 'devices with a token');
}

function checkTls(config: ReceiveConfig): Check {
  const name = 'certificate';
  try {
    const tls = readTlsFiles(config);
    if (tls === undefined) return ok(name, 'none: senders reach it by ws://');
    createServer({
      tls,
      ...RECEIVER_LIMITS,
      keepAliveMs: 0,
      allowHalfClosed: false,
      onRequest: () => {},
    }).close();
    const facts = certificateFacts(tls.cert);
    if (facts === undefined) return ok(name, 'can be used');
    const fault = certificateFault(facts, Date.now());
    if (fault === undefined)
      return ok(name, `for ${facts.names.join(', ')}, until ${dayOf(facts.validToMs)}`);
    const { isRefused, message, hint } = fault;
    return isRefused
      ? failure(name, new IsyncError('TLS_FAILED', message, { hint }))
      : warning(name, message, hint);
  } catch (error) {
    return failure(name, error);
  }
}

/** Takes the port for a moment. */
async function checkListen({ listen, tlsCert }: ReceiveConfig): Promise<Check> {
  const name = 'port';
  const { host, port } = listen;
  const server = createTcpServer((socket) => socket.destroy());
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    return ok(name, port === 0 ? 'a free one is taken' : `${host}:${port} is free`);
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE' && (await isAlive(listen, tlsCert !== undefined)))
      return ok(
        name,
        `${host}:${port} is taken by a server that says it is well: this receiver, when it runs already`,
      );
    return failure(name, listenError(error, listen));
  } finally {
    server.close();
  }
}

/** Whether a receiver answers there, as far as one can tell. */
async function isAlive({ host, port }: ListenAddress, isTls: boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const options = { host, port, path: '/healthz', timeout: ANSWER_MS, agent: false as const };
  // Whose certificate it is does not matter here: nothing secret is said, and nothing that is answered is believed.
  const request = isTls ? getHttps({ ...options, rejectUnauthorized: false }) : getHttp(options);
  request.once('response', (response) => {
    resolve(response.statusCode === 200);
    response.destroy();
  });
  request.once('timeout', () => request.destroy());
  request.on('error', () => resolve(false));
  return await promise;
}
