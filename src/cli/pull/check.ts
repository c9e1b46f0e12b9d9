import { constants, existsSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PullConfig } from '../../config/schemas/pull.ts';
import { check, type Finding, type Room } from '../../events/pull/check.ts';
import { checkQueue } from '../../events/sqs/check-queue.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openForLook } from './open-for-look.ts';
import { sqsOptions } from './pull-parts.ts';

/** Tries everything, says what it has found, and ends with 1 where something is wrong. */
export async function runCheck(given: LastingWork<PullConfig>): Promise<ExitCode> {
  const { config, output, log, signal } = given;
  await using parts = await openForLook(given, 'look beside');
  const findings: Finding[] = [];
  const buckets = config.buckets.length > 0 ? config.buckets : parts.state.buckets();
  const { bucketOwner, requestPayer, minFree: minFreeBytes, unmatched } = config;
  for await (const finding of check({
    queue: async () => await checkQueue(sqsOptions(config, log), { signal }),
    pool: parts.pool,
    buckets,
    prefixes: parts.keys.prefixes,
    folders: async () =>
      await Promise.all(parts.actions.folders.all.map(async ({ folder }) => await roomIn(folder))),
    state: async () => await roomIn(config.state),
    minFreeBytes,
    unmatched,
    requests: { bucketOwner, requestPayer },
  })) {
    findings.push(finding);
    output.text(lineOf(finding));
  }
  const isWrong = findings.some(({ level }) => level === 'fault');
  return output.done({ findings }, isWrong ? EXIT.PROBLEMS : EXIT.DONE);
}

function lineOf({ name, level, message, hint }: Finding): string {
  const first = `${level.padEnd(7)}  ${printable(name)}: ${printable(message)}`;
  return hint === undefined ? first : `${first}\n         ${printable(hint)}`;
}

/** Of a folder that is yet to be made: of the one that it will be made in. */
async function roomIn(folder: string): Promise<Room> {
  const at = nearest(folder);
  const own = join(at, OWN_FOLDER);
  try {
    for (const each of existsSync(own) ? [at, own] : [at])
      await access(each, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(at);
    return { folder, freeBytes: bavail * bsize, fault: undefined };
  } catch (error) {
    return { folder, freeBytes: 0, fault: `${errnoOf(error) ?? String(error)} at ${at}` };
  }
}

function nearest(folder: string): string {
  const parent = dirname(folder);
  return existsSync(folder) || parent === folder ? folder : nearest(parent);
}
