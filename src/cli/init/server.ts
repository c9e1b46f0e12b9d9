import { join } from 'node:path';
import { stringify } from 'yaml';
import { addToken } from '../../access/tokens.ts';
import { formatJoinLine } from '../../config/join-line.ts';
import { RECEIVER_PORT } from '../../config/target-address.ts';
import type { InitConfig } from '../../config/schemas/init.ts';
import { chownSync, existsSync } from 'node:fs';
import type { Output } from '../output.ts';
import { makeCertificates } from './certificate.ts';
import { placeFile, placeFolder } from './place.ts';
import { serviceUser } from './service-user.ts';
import { checkKept, keptSettings } from './kept-settings.ts';
import { Told } from './told.ts';
import { hasSystemd, unitPath, unitText } from './unit.ts';

export interface ServerAnswers {
  readonly store: string;
  /** Under which devices reach it. */
  readonly host: string;
  readonly settings: string;
}

/** Makes what `isync receive` needs, and a token for one device; what is there already stays. */
export async function initServer(
  { store, host, settings }: ServerAnswers,
  { for: device, port, user: userName, unit }: InitConfig,
  output: Output,
): Promise<object> {
  const config = join(settings, 'receive.yaml');
  const kept = keptSettings(config, 'receive');
  const listen = port === undefined ? (kept['listen'] ?? `0.0.0.0:${RECEIVER_PORT}`) : `0.0.0.0:${port}`;
  checkKept(config, kept, { store, listen });
  const told = new Told(output);
  const user = serviceUser(userName);
  if (user.ids !== undefined) told.placed(`user ${user.name}`, user.placed);
  const owner = user.ids;
  told.placed(store, placeFolder(store, { mode: 0o750, owner }));
  told.placed(settings, placeFolder(settings, { mode: 0o755 }));
  const { cert, key, fingerprint, isNew } = await makeCertificates(settings, host, { owner });
  told.placed(`${cert}, ${key} (for ${host}; renewed by running this again)`, isNew ? 'made' : 'kept');
  const tokens = join(settings, 'tokens.json');
  const receive = { store, listen, tokens, 'tls-cert': cert, 'tls-key': key, 'min-free': '1GiB' };
  told.placed(config, await placeFile(config, stringify({ receive }), { mode: 0o644 }));
  if (unit && hasSystemd()) {
    const path = unitPath('receive');
    const facts = { command: 'receive', config, credential: key, user: user.name, folder: store } as const;
    told.placed(path, await placeFile(path, unitText(facts), { mode: 0o644 }));
  }
  // Last: nothing else can fail, so no token is left that nobody was shown.
  const token = await addToken(tokens, device);
  if (owner !== undefined) chownSync(tokens, owner.uid, owner.gid);
  told.placed(`a token of ${device} in ${tokens}`, 'made');
  const at = host.includes(':') ? `[${host}]` : host;
  const url = `wss://${at}:${listen.split(':').at(-1) ?? ''}`;
  const line = formatJoinLine({ url, token, fingerprint, device });
  output.text('');
  output.text('Start it:');
  output.text(
    existsSync(unitPath('receive'))
      ? '  systemctl enable --now isync-receive'
      : `  isync receive --config ${config}`,
  );
  output.text(`Then, on the device (the line holds its token: keep it to yourself):`);
  output.text(`  isync init --join '${line}'`);
  output.text('For another device run this again with --for NAME.');
  return { made: told.made, kept: told.kept, config, join: line };
}
