import { statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { JoinLine } from '../../config/join-line.ts';
import type { InitConfig } from '../../config/schemas/init.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';
import type { Output } from '../output.ts';
import { fetchAuthority } from './fetch-authority.ts';
import { placeFile, placeFolder, replaceFile } from './place.ts';
import { checkKept, keptSettings } from './kept-settings.ts';
import { Told } from './told.ts';
import { hasSystemd, unitPath, unitText } from './unit.ts';

export interface DeviceAnswers {
  readonly root: string;
  readonly device: string;
  readonly settings: string;
  readonly join: JoinLine;
}

/**
 * Makes what `isync scan` needs to reach the server of a join line.
 * @throws IsyncError UNREACHABLE, TLS_FAILED where the server is not the one of the line
 */
export async function initDevice(
  { root, device, settings, join: line }: DeviceAnswers,
  { unit }: InitConfig,
  output: Output,
): Promise<object> {
  if (line.device !== undefined && line.device !== device)
    throw new IsyncError('USAGE', `the line is for the device "${line.device}", not for "${device}"`, {
      hint: 'Leave out --name; or have the server print a line for this one: isync init --role server --for NAME.',
    });
  const config = join(settings, 'scan.yaml');
  checkKept(config, keptSettings(config, 'scan'), { root, to: line.url, device });
  const told = new Told(output);
  // First: nothing is made for a server that is not the one of the line.
  const authority = await fetchAuthority(line);
  told.placed(root, placeFolder(root, { mode: 0o755 }));
  const owner = ownerOf(root);
  told.placed(settings, placeFolder(settings, { mode: 0o755 }));
  const ca = join(settings, 'server-ca.pem');
  const tokenFile = join(settings, 'token');
  await replaceFile(ca, authority, { mode: 0o644 });
  await replaceFile(tokenFile, `${line.token}\n`, { mode: 0o600, owner });
  told.placed(`${ca}, ${tokenFile}`, 'made');
  const scan = { root, to: line.url, device, 'token-file': tokenFile, 'tls-ca': ca };
  told.placed(config, await placeFile(config, stringify({ scan }), { mode: 0o644 }));
  const user = String(owner?.uid ?? process.getuid?.() ?? 0);
  const hasUnit = unit && hasSystemd();
  if (hasUnit) {
    const path = unitPath('scan');
    const facts = { command: 'scan', config, credential: tokenFile, user, folder: root } as const;
    told.placed(path, await placeFile(path, unitText(facts), { mode: 0o644 }));
  }
  output.text('');
  output.text('Start it:');
  output.text(hasUnit ? '  systemctl enable --now isync-scan' : `  isync scan --config ${config}`);
  return { made: told.made, kept: told.kept, config, device, to: line.url };
}

/** Whose the root is: only the owner may mark files. Undefined for whoever can give files to nobody. */
function ownerOf(root: string): OwnerIds | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(root);
  return { uid, gid };
}
