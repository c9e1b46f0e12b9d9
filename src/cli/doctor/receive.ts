import { listTokens } from '../../access/tokens.ts';
import { openTokenFile } from '../../access/token-file.ts';
import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { formatCount } from '../../observe/units.ts';
import { checkReceiverExposure } from '../../receiver/receiver.ts';
import { noRetention } from '../receive-retention.ts';
import { filesOfReceiver } from '../open-files.ts';
import { bucketChecks } from './bucket.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { machineChecks } from './machine.ts';
import { checkOwnCertificate } from './own-certificate.ts';
import { checkPort } from './port.ts';
import { silentLog } from './silent-log.ts';
import { folderChecks } from './store-folder.ts';

/** All that `isync receive` needs, with the same settings. */
export async function* receiveChecks(config: ReceiveConfig): AsyncGenerator<Check> {
  yield* machineChecks(filesOfReceiver(config));
  const { store } = config;
  yield* store.kind === 's3' ? bucketChecks(store, config) : folderChecks(store.path, config.minFree);
  yield await checkTokens(config);
  yield checkExposed(config);
  yield checkOwnCertificate(config, 'senders reach it by ws://');
  const own = { name: 'receiver', isTls: config.tlsCert !== undefined, path: '/healthz' };
  yield await checkPort(config.listen, own);
}

async function checkTokens(config: ReceiveConfig): Promise<Check> {
  const { tokens } = config;
  const name = 'tokens';
  if (tokens === undefined) return ok(name, 'none are asked for');
  try {
    // As the receiver reads it.
    openTokenFile(tokens, silentLog, { noRetention: noRetention(config) })[Symbol.dispose]();
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
