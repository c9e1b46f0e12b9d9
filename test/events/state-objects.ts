import type { KnownObject } from '../../src/events/state/pull-state.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';

/** What is known of a key: a file, or a folder where it ends with "/". */
export function object(
  key: string,
  more: Partial<Omit<KnownObject, 'path'>> & { path?: string } = {},
): KnownObject {
  const { path = key.replace(/\/$/, ''), ...rest } = more;
  return {
    bucket: 'b',
    key,
    kind: key.endsWith('/') ? 'folder' : 'file',
    folder: '/srv',
    path: parseRelPath(path),
    etag: 'e',
    versionId: undefined,
    size: 1,
    mtimeUs: 1_790_000_000_123_456,
    sequencer: undefined,
    timeMs: undefined,
    ...rest,
  };
}

export const keysOf = (objects: Iterable<KnownObject>): string[] => [...objects].map(({ key }) => key);

/** The error that `attempt` rejects with, which must be one of ours. */
export async function faultOf(attempt: Promise<unknown>): Promise<IsyncError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof IsyncError) return error;
  throw new Error(`no IsyncError: ${String(error)}`);
}
