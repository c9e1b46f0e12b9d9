import { randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { showAddress } from '../../config/target-address.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { mirrorSettings } from '../../mirror/mirror-settings.ts';
import { spoolError } from '../../mirror/spool/spool-errors.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { type MirrorSettings, openMirror, type OpenMirror } from '../../mirror/open-mirror.ts';
import { AddressRefused } from '../../mirror/origin/http/guarded-connect.ts';
import { AWAY_CURE, type Origin, OriginError } from '../../mirror/origin/origin.ts';
import type { RuleOrigins } from '../../mirror/fill/fills-options.ts';
import { formatBytes } from '../../observe/units.ts';
import type { LastingWork } from '../lasting-command.ts';
import { checkExposed, MOST_CONNECTIONS, tokenOf } from '../mirror/serve.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { machineChecks } from './machine.ts';
import { checkMayPut } from './may-write.ts';
import { checkPort } from './port.ts';
import { silentLog } from './silent-log.ts';

/** For all that is asked of one bucket or origin, in ms. */
const ANSWER_MS = 30_000;

type Given = Pick<LastingWork<MirrorConfig>, 'config' | 'signal'>;

/** All that `isync mirror` needs, with the same settings. */
export async function* mirrorChecks({ config, signal }: Given): AsyncGenerator<Check> {
  yield* machineChecks(MOST_CONNECTIONS);
  yield checkWhoMayAsk(config);
  yield await checkPort(config.listen, { name: 'mirror', isTls: false, path: '/healthz' });
  yield await checkSpool(config);
  await using opened = await openMirror(settingsOf(config), { log: silentLog });
  yield* bucketChecks(opened, config, signal);
  for (const route of opened.routes) yield* originChecks(route, signal);
}

/** With a spool of its own: it would make that of the mirror, and take it away again from one that has begun meanwhile. */
function settingsOf(config: MirrorConfig): MirrorSettings {
  const settings = mirrorSettings(config);
  return {
    ...settings,
    spool: { ...settings.spool, folder: join(tmpdir(), `isync-doctor-${randomUUID()}`) },
  };
}

function checkWhoMayAsk(config: MirrorConfig): Check {
  const name = 'who may ask';
  try {
    const token = tokenOf(config);
    checkExposed(config, token);
    if (isLoopback(config.listen.host)) return ok(name, 'this machine alone can connect');
    return ok(name, token === undefined ? 'everybody who reaches it' : 'who brings the token');
  } catch (error) {
    return failure(name, error);
  }
}

/** Looks only: a folder that is missing is made by the mirror, for itself. */
async function checkSpool({ spool = tmpdir(), spoolSize }: MirrorConfig): Promise<Check> {
  const name = 'spool';
  try {
    const there = await standing(spool);
    await access(there, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(there);
    const freeBytes = bavail * bsize;
    const can = there === spool ? 'can be written to' : 'can be made';
    const text = `${spool} ${can}, with ${formatBytes(freeBytes)} free`;
    if (freeBytes >= spoolSize) return ok(name, text);
    return warning(
      name,
      `${text}, and may take ${formatBytes(spoolSize)}`,
      'Make room, name another folder with --spool, or let it take less with --spool-size.',
    );
  } catch (error) {
    return failure(name, spoolError(error, spool));
  }
}

/** The folder itself, or the nearest one above it that is there. */
async function standing(folder: string): Promise<string> {
  try {
    // Fails also where it is no folder.
    await stat(join(folder, '/'));
    return folder;
  } catch (error) {
    const above = dirname(folder);
    if (errnoOf(error) !== 'ENOENT' || above === folder) throw error;
    return await standing(above);
  }
}

async function* bucketChecks(
  mirror: OpenMirror,
  config: MirrorConfig,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  const name = 'bucket';
  const either = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    await mirror.probe(either);
    yield ok(name, `${showAddress(config.bucket)} can be read`);
  } catch (error) {
    yield failure(name, error);
    return;
  }
  yield await checkMayPut(mirror.bucket, mirror.prefix, name, { signal: either });
}

/** Asks each origin of a rule for a key that it can't have. One that is away need not matter: the next one is asked then. */
async function* originChecks({ rule, origins }: RuleOrigins, signal: AbortSignal): AsyncGenerator<Check> {
  const key = `${rule.key.add}.isync-doctor-${randomBytes(8).toString('hex')}`;
  const checks = await Promise.all(origins.map(async (origin) => await checkOrigin(origin, key, signal)));
  const isAnyUp = checks.some(({ level }) => level !== 'fail');
  for (const check of checks) yield check.level === 'fail' && isAnyUp ? { ...check, level: 'warn' } : check;
}

async function checkOrigin(origin: Origin, key: string, signal: AbortSignal): Promise<Check> {
  const name = `origin ${origin.name}`;
  const either = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const answer = await origin.ask('GET', { key, query: undefined }, either);
    if (answer.kind === 'absent') return ok(name, 'answers, and says of a key that is missing that it is');
    answer[Symbol.dispose]();
    return warning(
      name,
      'has something for a key that can not be there, so that the mirror would keep that for each wrong key',
      'Let it answer 404 for what it does not have.',
    );
  } catch (error) {
    if (!(error instanceof OriginError)) return failure(name, error);
    const { isAway, message, cause } = error;
    if (cause instanceof AddressRefused)
      return {
        name,
        level: 'fail',
        message,
        hint: 'Say "allowPrivate: true" in its rule, or name another host.',
      };
    const hint = isAway
      ? AWAY_CURE
      : 'Check its URL, and "send", which has what the origin wants to see of us.';
    return { name, level: isAway ? 'fail' : 'warn', message, hint };
  }
}
