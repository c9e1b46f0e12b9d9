import { once } from 'node:events';
import { readText } from '../config/read-text.ts';
import { receiveSchema, type ReceiveConfig } from '../config/schemas/receive.ts';
import { showStoreAddress } from '../config/target-address.ts';
import type { Log } from '../model/log.ts';
import { withFileSizeLimit } from '../store/rules/file-size-limit.ts';
import { withImmutable } from '../store/rules/immutable-store.ts';
import { type QuotaOptions, withQuota } from '../store/rules/quota-store.ts';
import { startReceiver, type ReceiverOptions } from '../receiver/receiver.ts';
import { openTokenFile } from '../receiver/token-file.ts';
import type { Store } from '../store/store.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { openS3 } from './open-s3-store.ts';
import { softwareName } from './version.ts';

/**
 * How long a count of what a device has in a bucket is good, in ms: other receivers may add to it, and counting takes a
 * request for every thousand files.
 */
const S3_RECOUNT_MS = 3600 * 1000;

export const runReceive = lastingCommand(receiveSchema, FINISHING, async (given) => {
  const { config, output, log, signal } = given;
  await using store = await openStore(config, log);
  using tokens = config.tokens === undefined ? undefined : openTokenFile(config.tokens, log);
  await using receiver = await startReceiver({
    store,
    listen: config.listen,
    tokens,
    insecure: config.insecure,
    tls: readTls(config),
    maxConnections: config.maxConnections,
    software: softwareName(),
    log,
  });
  const { url, host, port } = receiver;
  const shown = showStoreAddress(config.store);
  output.text(`isync receive: listening on ${url} (store ${shown})`);
  output.object({ event: 'listening', url, host, port, store: shown });
  if (!signal.aborted) await once(signal, 'abort');
  return EXIT.DONE;
});

/** The store that the command names, with the rules for what devices may keep there. */
async function openStore(config: ReceiveConfig, log: Log): Promise<Store> {
  const { store: address, immutable, quota } = config;
  if (address.kind === 'folder') {
    const { openFileStore } = await import('../store/file/file-store.ts');
    const store = await openFileStore(address.path, {
      immutable,
      minFreeBytes: config.minFree,
      maxStagedBytes: quota,
    });
    return withLimits(store, config, {});
  }
  // A folder keeps this rule itself, and between processes too.
  const store = await openS3(address, config, log);
  return withLimits(immutable ? withImmutable(store) : store, config, { recountMs: S3_RECOUNT_MS });
}

/** Outermost is what costs least to refuse. */
function withLimits(store: Store, { maxFileSize, quota }: ReceiveConfig, options: QuotaOptions): Store {
  const counted = quota === undefined ? store : withQuota(store, quota, options);
  return maxFileSize === undefined ? counted : withFileSizeLimit(counted, maxFileSize);
}

function readTls({ tlsCert, tlsKey, tlsCa }: ReceiveConfig): ReceiverOptions['tls'] {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: Buffer.from(readText(tlsCert, 'the file of --tls-cert')),
    key: Buffer.from(readText(tlsKey, 'the file of --tls-key')),
    ca: tlsCa === undefined ? undefined : Buffer.from(readText(tlsCa, 'the file of --tls-ca')),
  };
}
