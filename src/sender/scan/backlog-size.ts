import type { Abortable } from '../../model/abortable.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import { listDataDirectories } from '../../scanner/list-data-directories.ts';
import { listDirectory } from '../../scanner/list-directory.ts';

export interface BacklogOptions extends Abortable {
  /** Absolute path. */
  readonly root: string;
  readonly tag: string;
  readonly ignore: IgnoreRule;
}

/**
 * Bytes of the files that a scan has to send: unmarked, in directories that are not sealed. For people to look at only: it
 * costs a listing of its own, and the scan does not wait for it. Rejects as the listings do, or with the signal's reason.
 */
export async function backlogBytes({ root, tag, ignore, signal }: BacklogOptions): Promise<number> {
  const { directories } = await listDataDirectories(root, { tag });
  let bytes = 0;
  for (const { name, seal } of directories) {
    if (seal !== undefined) continue;
    for await (const batch of listDirectory(root, name, { ignore, signal }))
      for (const finding of batch)
        if (finding.kind === 'file' && !finding.file.marked) bytes += finding.file.entry.size;
  }
  return bytes;
}
