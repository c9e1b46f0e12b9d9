import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { etagOf, keyAt, MODIFIED } from '../../harness/many-keys.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { RecordingLog } from '../recording-log.ts';

/**
 * A process that makes what `isync pull` would have left of the objects of many-keys.ts below `a/`: their rows in the state, and
 * their files, which a pull makes durable one by one. Given the file of the state, the mapped folder, the bucket, the number of
 * objects, and whether files are wanted.
 */

/** Rows of one commit. */
const AT_ONCE = 1000;

const [, , file = '', folder = '', bucket = '', count = '', wanted = ''] = process.argv;
await using state = await openPullState(file, { log: new RecordingLog() });
for (let from = 0; from < Number(count); from += AT_ONCE) {
  const indexes = Array.from({ length: Math.min(AT_ONCE, Number(count) - from) }, (_, at) => from + at);
  await Promise.all(indexes.map(async (index) => await make(keyAt(index))));
}

async function make(key: string): Promise<void> {
  const path = parseRelPath(key.slice('a/'.length));
  const place = join(folder, path);
  if (wanted === 'with files') {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, key);
    utimesSync(place, MODIFIED, MODIFIED);
  }
  await state.set({
    bucket,
    key,
    kind: 'file',
    folder,
    path,
    etag: etagOf(key),
    versionId: undefined,
    size: key.length,
    mtimeUs: MODIFIED.getTime() * 1000,
    sequencer: undefined,
    timeMs: undefined,
  });
}
