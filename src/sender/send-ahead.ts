import { listDirectory } from '../scanner/list-directory.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

/**
 * Sends settled files of `directory` until `signal` says that its watch stands: beside many files that takes seconds, in
 * which a link would lie idle. What this leaves out or fails at, the listing after it finds. Never rejects.
 */
export async function sendAhead(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  { rank, signal }: { readonly rank: number; readonly signal: AbortSignal },
): Promise<void> {
  const { root, settleMs } = context.options;
  try {
    for await (const batch of listDirectory(root, directory, { ignore: context.ignore, signal }))
      for (const finding of batch) {
        if (finding.kind === 'problem' || submissions.isMarked(finding.file)) continue;
        if (Date.now() - finding.file.identity.mtimeMs < settleMs) continue;
        if (signal.aborted) return;
        await submissions.submit(finding.file, rank, { priority: 'backlog', unlessKept: false });
      }
  } catch {
    // The signal, or what the listing after this one tells as well.
  }
}
