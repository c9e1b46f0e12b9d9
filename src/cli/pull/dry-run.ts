import type { PullConfig } from '../../config/schemas/pull.ts';
import { bucketsToCompare } from '../../events/pull/buckets-to-compare.ts';
import { differences } from '../../events/pull/resync.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openLook } from './look.ts';

/** Lists what a comparison with the bucket would change. No message is taken from the queue: another reader would miss it. */
export async function runDry(given: LastingWork<PullConfig>): Promise<ExitCode> {
  const { config, output, signal } = given;
  await using parts = await openLook(given);
  const buckets = bucketsToCompare(config.buckets, parts.state);
  const counts = { created: 0, removed: 0 };
  for await (const { kind, bucket, key } of differences({ ...parts, buckets, removes: config.delete })) {
    if (signal.aborted) return EXIT.INTERRUPTED;
    counts[kind] += 1;
    output.text(
      `${kind === 'created' ? 'would write ' : 'would remove'} ${printable(`s3://${bucket}/${key}`)}`,
    );
    output.object({ event: 'difference', kind, bucket, key });
    await output.drained();
  }
  const { created, removed } = counts;
  output.text(`${created} to write, ${removed} to remove`);
  return output.done({ differences: created + removed, toWrite: created, toRemove: removed });
}
