import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackupJob } from '../../backup/job.ts';
import type { Manifest } from '../../backup/manifest/manifest.ts';
import type { ReadContext } from '../../backup/read/read-context.ts';
import { restoreOne } from '../../backup/restore/restore-one.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { JobsWork } from './backup-command.ts';
import { openScratch, type Scratch } from './scratch.ts';

/**
 * Prints one file of a backup. That it is damaged is known after its last byte: then it rejects, and what was printed is wrong. A reader
 * that goes away early gets exit code 1.
 */
export async function printRestored(
  { output, log }: Pick<JobsWork, 'output' | 'log'>,
  job: BackupJob,
  context: ReadContext,
  manifest: Manifest,
  path: string,
): Promise<ExitCode> {
  await using scratch = await scratchFor(job);
  for await (const piece of restoreOne(context, manifest, path, scratch.folder)) {
    if (process.stdout.destroyed || process.stdout.errored !== null) return EXIT.PROBLEMS;
    // The next piece may stand in the same memory.
    await new Promise<void>((resolve) => process.stdout.write(piece, () => resolve()));
    await output.drained();
  }
  log.info('printed', { backup: manifest.name, path });
  return EXIT.DONE;
}

/** On a new machine, or for a user who may not write the state, the list lies with other temporary files. It has no name there. */
async function scratchFor(job: BackupJob): Promise<Scratch> {
  try {
    return await openScratch(job);
  } catch {
    const folder = await mkdtemp(join(tmpdir(), 'isync-backup-'));
    return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  }
}
