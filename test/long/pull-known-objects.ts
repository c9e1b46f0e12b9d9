import { join } from 'node:path';
import { startNode } from '../../harness/process.ts';
import type { PullStage } from '../../harness/pull-stage.ts';

const PROGRAM = join(import.meta.dirname, 'pull-known.ts');

/** Lets a machine whose config maps `a/` to the folder `a` know so many objects of many-keys.ts; no pull may run meanwhile. */
export async function knowObjects(
  { config, at, bucket }: PullStage,
  count: number,
  files: 'with files' | 'without files',
): Promise<void> {
  await using filler = startNode([
    PROGRAM,
    join(`${config}.state`, 'state.db'),
    at('a'),
    bucket,
    String(count),
    files,
  ]);
  const { exitCode, stderr } = await filler.ended;
  if (exitCode !== 0) throw new Error(`the state was not filled: ${stderr}`);
}
