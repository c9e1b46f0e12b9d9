import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openDestination } from '../../src/fetch/destination.ts';
import { fetchFiles, type FetchRequest } from '../../src/fetch/fetch.ts';
import { FetchTally } from '../../src/fetch/fetch-tally.ts';
import type { Reader } from '../../src/store/reader.ts';
import { openStoreReader } from '../../src/fetch/store-reader.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';

/** A time that a second run has to find again, with microseconds. */
export const WRITTEN_S = 1_700_000_000.123_456;

/** A store in a folder with what `kept` has, and a folder beside it that files are brought to. */
export function stage(kept: Readonly<Record<string, string | Buffer>> = {}) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'isync-fetch-')));
  onTestFinished(async () => await rm(base, { recursive: true }));
  const [source, back] = [join(base, 'store'), join(base, 'back')];
  for (const folder of [source, back]) mkdirSync(folder);
  const keep = (path: string, content: string | Buffer): void => write(join(source, path), content);
  for (const [path, content] of Object.entries(kept)) keep(path, content);
  const open = async (place = ''): Promise<Reader> =>
    await openStoreReader(
      await openFileStore(source, { readOnly: true }),
      place === '' ? '' : parseRelPath(place),
    );
  /** Brings what is there; `change` puts something between the store and who reads it. */
  const run = async (
    changes: Partial<Omit<FetchRequest, 'reader'>> & {
      readonly place?: string;
      readonly change?: (reader: Reader) => Reader;
    } = {},
  ) => {
    const { place, change = (reader: Reader) => reader, ...rest } = changes;
    await using reader = await open(place);
    const tally = new FetchTally();
    const overwrite = changes.overwrite ?? false;
    await using destination = await openDestination(back, { overwrite, source });
    const failure = await fetchFiles({
      reader: change(reader),
      into: destination.store,
      isWanted: () => true,
      overwrite,
      retry: { giveUpAfterMs: 0 },
      signal: new AbortController().signal,
      tally,
      ...rest,
    });
    const told = tally.problems.map(({ code, path }) => `${code} ${path}`).toSorted();
    const { files, there } = tally;
    return { failure, told, files, there, tally };
  };
  return { base, source, back, keep, run, at: (path: string) => join(back, path) };
}

export function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** `reader` with some calls in the place of its own. */
export function changed(reader: Reader, calls: Partial<Reader>): Reader {
  return {
    listedMtime: reader.listedMtime,
    filesAtOnce: reader.filesAtOnce,
    list: (options) => reader.list(options),
    stat: (path, options) => reader.stat(path, options),
    read: (path, options) => reader.read(path, options),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    ...calls,
  };
}
