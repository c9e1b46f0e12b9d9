import { statfs } from 'node:fs/promises';
import type { PullConfig } from '../../config/schemas/pull.ts';
import { check, type Finding } from '../../events/pull/check.ts';
import { checkQueue } from '../../events/sqs/check-queue.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openPullParts, sqsOptions } from './pull-parts.ts';

/** Tries everything, says what it has found, and ends with 1 where something is wrong. */
export async function runCheck(given: LastingWork<PullConfig>): Promise<ExitCode> {
  const { config, output, log, signal } = given;
  await using parts = await openPullParts(given, { isLook: true });
  const findings: Finding[] = [];
  const buckets = config.buckets.length > 0 ? config.buckets : parts.state.buckets();
  const { bucketOwner, requestPayer, minFree: minFreeBytes, unmatched } = config;
  for await (const finding of check({
    queue: async () => await checkQueue(sqsOptions(config, log), { signal }),
    pool: parts.pool,
    buckets,
    prefixes: parts.keys.prefixes,
    folders: async () =>
      await Promise.all(
        parts.actions.folders.all.map(async ({ folder, root, store }) => ({
          folder,
          freeBytes: store === undefined ? Infinity : await freeBytes(root),
        })),
      ),
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

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
