import { once } from 'node:events';
import { hostname } from 'node:os';
import { receiveSchema, type ReceiveConfig } from '../config/schemas/receive.ts';
import { showAddress } from '../config/target-address.ts';
import { DeviceNotes } from '../receiver/devices/device-notes.ts';
import { Devices } from '../receiver/devices/devices.ts';
import { startReceiver } from '../receiver/receiver.ts';
import { openTokenFile, type TokenFile } from '../access/token-file.ts';
import type { Store } from '../store/store.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { openStore } from './locations/table.ts';
import { filesOfReceiver, warnOfFewFiles } from './open-files.ts';
import { openHooks } from './hooks/open-hooks.ts';
import { noRetention, openRetention } from './receive-retention.ts';
import { openStatus } from './status/open-status.ts';
import { ReceiveStatus } from './status/receive-status.ts';
import { StoreLook } from './status/store-look.ts';
import { type FollowedTls, followTlsFiles, readTlsFiles } from './tls-files.ts';
import { softwareName } from './version.ts';

export const runReceive = lastingCommand(receiveSchema, FINISHING, async (given) => {
  const { config, output, log, signal } = given;
  warnOfFewFiles(log, filesOfReceiver(config));
  using tokens =
    config.tokens === undefined
      ? undefined
      : openTokenFile(config.tokens, log, { noRetention: noRetention(config) });
  await using store = await openUnlessStopped(given, tokens);
  if (store === undefined) return EXIT.DONE;
  const retention = await openRetention(config, store, { tokens, signal, log });
  let listening: string | undefined;
  let tls: FollowedTls | undefined;
  const devices = new Devices();
  const state = new ReceiveStatus({
    config,
    devices,
    store: new StoreLook(config.store, store),
    url: () => listening,
    retired: () => retention?.gone,
    certificateEndsMs: () => tls?.endsMs,
    hasToken: tokens && ((device) => tokens.has(device)),
    log,
  });
  await using status = await openStatus(given, await state.parts());
  await using hooks = await openHooks({
    config,
    owner: { command: 'receive', subject: showAddress(config.store) },
    alarms: state.board.alarms,
    log,
  });
  // Ends after the receiver, whose sessions still count.
  await using keeping = new AsyncDisposableStack();
  await using receiver = await startReceiver({
    store: retention?.store ?? store,
    listen: config.listen,
    tokens,
    insecure: config.insecure,
    tls: readTlsFiles(config),
    maxConnections: config.maxConnections,
    software: softwareName(),
    watch: hooks.seal === undefined ? devices : hooks.seal.watching(devices),
    log,
  });
  using following = followTlsFiles(config, receiver, log);
  tls = following;
  const { url, host, port } = receiver;
  await using _ = retention?.start();
  listening = url;
  if (store.notes !== undefined)
    keeping.use(
      new DeviceNotes({ notes: store.notes, devices, receiver: `${hostname()} ${host}:${port}`, log }),
    );
  const shown = showAddress(config.store);
  given.reloads({}, () => `listening on ${url} (store ${shown})`);
  output.text(`isync receive: listening on ${url} (store ${shown})`);
  output.object({
    event: 'listening',
    url,
    host,
    port,
    store: shown,
    ...(status.url !== undefined && { status: status.url }),
  });
  if (!signal.aborted) await once(signal, 'abort');
  return EXIT.DONE;
});

/** Undefined where the signal came first: as later, that is no failure. */
async function openUnlessStopped(
  given: LastingWork<ReceiveConfig>,
  tokens: TokenFile | undefined,
): Promise<Store | undefined> {
  const { config, signal } = given;
  try {
    const recordSeals = config.retain !== undefined || tokens?.saysRetention === true;
    return await openStore(config.store, { ...config, recordSeals }, given);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}
