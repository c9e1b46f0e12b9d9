import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PullConfig } from '../../config/schemas/pull.ts';
import { check, checkedFolder, type Finding, type FolderRoom } from '../../events/pull/check.ts';
import { checkQueue } from '../../events/sqs/check-queue.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openLook } from './look.ts';
import { keysOf, openPool, type PullParts, sqsOptions } from './pull-parts.ts';

/** Tries everything, says what it has found, and ends with 1 where something is wrong. */
export async function runCheck(given: LastingWork<PullConfig>): Promise<ExitCode> {
  const { output } = given;
  const findings: Finding[] = [];
  for await (const finding of pullFindings(given)) {
    findings.push(finding);
    output.text(lineOf(finding));
  }
  const isWrong = findings.some(({ level }) => level === 'fault');
  return output.done({ findings }, isWrong ? EXIT.PROBLEMS : EXIT.DONE);
}

/** Tries everything that a pull with these settings needs. */
export async function* pullFindings(given: LastingWork<PullConfig>): AsyncGenerator<Finding> {
  const { config, log, signal, cut } = given;
  const keys = keysOf(config);
  using pool = openPool(config, cut);
  const opened = await opening(given);
  await using parts = opened.parts;
  const buckets = config.buckets.length > 0 ? config.buckets : (parts?.state.buckets() ?? []);
  const { bucketOwner, requestPayer, minFree: minFreeBytes, unmatched } = config;
  yield* check({
    queue: async () => await checkQueue(sqsOptions(config, log), { signal }),
    pool,
    buckets,
    prefixes: keys.prefixes,
    folders: async () => {
      if (parts === undefined) throw opened.fault;
      return await Promise.all(
        [...parts.actions.folders.all, { folder: config.state, root: config.state }].map(
          async ({ folder, root }) => await roomAt(folder, root),
        ),
      );
    },
    minFreeBytes,
    unmatched,
    requests: { bucketOwner, requestPayer },
  });
}

/** Looks at the folders that objects are written to. */
export async function* checkedFolders(
  sync: PullConfig['sync'],
  minFreeBytes: number,
): AsyncGenerator<Finding> {
  for (const folder of new Set(sync.map((mapping) => mapping.folder)))
    yield checkedFolder(await roomAt(folder, folder), minFreeBytes);
}

interface Opening {
  readonly parts: PullParts | undefined;
  readonly fault: unknown;
}

/** What a pull works with. Where that can't be opened, all else is checked nevertheless. */
async function opening(given: LastingWork<PullConfig>): Promise<Opening> {
  try {
    return { parts: await openLook(given, { beside: true }), fault: undefined };
  } catch (fault) {
    return { parts: undefined, fault };
  }
}

function lineOf({ name, level, message, hint }: Finding): string {
  const first = `${level.padEnd(7)}  ${printable(name)}: ${printable(message)}`;
  return hint === undefined ? first : `${first}\n         ${printable(hint)}`;
}

/** What can be written at a folder, or where it would be made. */
async function roomAt(folder: string, path: string): Promise<FolderRoom> {
  try {
    const { bavail, bsize } = await statfs(path);
    await access(path, constants.W_OK | constants.X_OK);
    return { folder, freeBytes: bavail * bsize, fault: undefined };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' && path !== dirname(path)) return await roomAt(folder, dirname(path));
    return { folder, freeBytes: 0, fault: errno ?? String(error) };
  }
}
