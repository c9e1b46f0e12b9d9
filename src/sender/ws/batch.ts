import { digestOf, type DigestAlgorithm } from '../../model/digest.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { InlineFile } from '../../protocol/messages.ts';
import type { SendQueue, PutJob } from '../send-queue.ts';

/** Longest time that reading for one message may hold up the event loop, in ms. */
const READ_SLICE_MS = 8;

export interface BatchFile extends InlineFile {
  readonly job: PutJob;
}

export interface BatchOptions {
  readonly live: boolean;
  readonly algorithm: DigestAlgorithm;
  readonly mostFiles: number;
  /** One file may be larger. */
  readonly mostBytes: number;
  /** What is read lies in it as far as there is room, until the next batch. */
  readonly memory: Buffer;
}

/** Reads the small files for the next FILES message: those that are queued now, without waiting for more. */
export function readBatch(
  queue: SendQueue,
  { live, algorithm, mostFiles, mostBytes, memory }: BatchOptions,
): BatchFile[] {
  const files: BatchFile[] = [];
  const until = performance.now() + READ_SLICE_MS;
  let left = mostBytes;
  let used = 0;
  while (files.length < mostFiles && performance.now() < until) {
    const job = queue.take(live, 'small', files.length === 0 ? Infinity : left);
    if (job === undefined) break;
    const { entry } = job.file;
    try {
      const content = job.file.readWhole(memory.subarray(used));
      used += content.length;
      files.push({ job, entry, content, digest: digestOf(algorithm, content) });
    } catch (error) {
      queue.failed(job, toIsyncError(error, 'FILE_UNREADABLE', { path: entry.path }));
      continue;
    }
    job.sent(entry.size);
    left -= entry.size;
  }
  return files;
}
