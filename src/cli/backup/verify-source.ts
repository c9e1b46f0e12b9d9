import type { BackupJob } from '../../backup/job.ts';
import { spoolList } from '../../backup/read/spooled-list.ts';
import { verifySource } from '../../backup/verify/verify-source.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import type { JobsWork } from './backup-command.ts';
import type { Look } from './catalogues.ts';
import { errorObject } from './exit-of.ts';
import { findSomewhere } from './find-somewhere.ts';
import { readContextOf } from './read-context.ts';

/** Compares the newest backup, or the first that is named, with the files of this machine. @throws IsyncError */
export async function compareSource(
  given: JobsWork,
  job: BackupJob,
  looks: readonly Look[],
  scratchFolder: string,
): Promise<{ readonly object: object; readonly hasProblems: boolean }> {
  const { output, list, signal } = given;
  const [name] = list;
  const { target, backup } = findSomewhere(
    looks,
    name === undefined ? { kind: 'latest' } : { kind: 'name', name },
  );
  const { manifest } = backup;
  await using records = await spoolList(readContextOf(job, target, given), manifest, scratchFolder);
  const { files, bytes, changed, problems, firstProblems } = await verifySource(records.records(), {
    signal,
  });
  output.text(`${printable(manifest.name)} and its sources`);
  for (const { path, error } of firstProblems)
    output.text(`  ${printable(path)}: ${printable(error.message)} [${error.code}]`);
  output.text(
    `  ${formatCount(files, 'file')} (${formatBytes(bytes)}) compared, ${changed.toLocaleString('en-US')} changed since, ${formatCount(problems, 'problem')}`,
  );
  return {
    object: {
      backup: manifest.name,
      files,
      bytes,
      changed,
      problemCount: problems,
      problems: firstProblems.map(({ path, error }) => ({ ...errorObject(error), path })),
    },
    hasProblems: problems > 0,
  };
}
