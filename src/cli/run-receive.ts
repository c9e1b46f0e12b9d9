import { once } from 'node:events';
import { readConfig } from '../config/read-config.ts';
import { readText } from '../config/read-text.ts';
import { receiveSchema, type ReceiveConfig } from '../config/schemas.ts';
import { withQuota } from '../receiver/quota-store.ts';
import { startReceiver, type ReceiverOptions } from '../receiver/receiver.ts';
import { openTokenFile } from '../receiver/token-file.ts';
import { openFileStore } from '../store/file/file-store.ts';
import type { Flags } from './commands/invocation.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { openScreen } from './screen.ts';
import { softwareName } from './version.ts';
import { stopOnSignal } from './stop-signal.ts';

export async function runReceive(flags: Flags, output: Output): Promise<ExitCode> {
  const config = readConfig('receive', receiveSchema, { flags, environment: process.env });
  output.json = config.json;
  using screen = openScreen(config.logLevel, output);
  const { log } = screen;
  using stop = stopOnSignal((name) =>
    log.info(`${name}: finishing what is in flight; once more stops at once`),
  );
  await using store = await openFileStore(config.store, {
    immutable: config.immutable,
    minFreeBytes: config.minFree,
    maxFileBytes: config.maxFileSize,
    maxStagedBytes: config.quota,
  });
  using tokens = config.tokens === undefined ? undefined : openTokenFile(config.tokens, log);
  await using receiver = await startReceiver({
    store: config.quota === undefined ? store : withQuota(store, config.quota),
    listen: config.listen,
    tokens,
    insecure: config.insecure,
    tls: readTls(config),
    maxConnections: config.maxConnections,
    software: softwareName(),
    log,
  });
  const { url, host, port } = receiver;
  output.text(`isync receive: listening on ${url} (store ${config.store})`);
  output.object({ event: 'listening', url, host, port, store: config.store });
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  return EXIT.DONE;
}

function readTls({ tlsCert, tlsKey, tlsCa }: ReceiveConfig): ReceiverOptions['tls'] {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: Buffer.from(readText(tlsCert, 'the file of --tls-cert')),
    key: Buffer.from(readText(tlsKey, 'the file of --tls-key')),
    ca: tlsCa === undefined ? undefined : Buffer.from(readText(tlsCa, 'the file of --tls-ca')),
  };
}
