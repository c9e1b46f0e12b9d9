import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MOST_REMEMBERED, Seals } from '../../src/fetch/seals.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { PARSE_MARKER } from '../../src/model/markers.ts';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import type { Reader } from '../../src/store/reader.ts';
import { changed, stage } from './fixture.ts';

const entryAt = (path: string): FileEntry => ({ path: parseRelPath(path), size: 0, mtimeUs: 0 });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Lists the markers first. */
function sealsFirst(reader: Reader, calls: Partial<Reader> = {}): Reader {
  return changed(reader, {
    async *list(options) {
      const entries = await all(reader.list(options));
      const rank = ({ path }: FileEntry): number => (path.endsWith(PARSE_MARKER) ? 0 : 1);
      yield* entries.toSorted((a, b) => rank(a) - rank(b));
    },
    ...calls,
  });
}

describe('finished.parse', () => {
  it('comes when all other files are here', async () => {
    const names = ['e/DC1/a', 'e/DC1/sub/b', 'e/DC2/c'];
    const { run, at } = stage(
      Object.fromEntries([...names, 'e/DC1/finished.parse'].map((name) => [name, name])),
    );
    let here: boolean[] | undefined;
    const outcome = await run({
      change: (reader) =>
        sealsFirst(reader, {
          read: async (path, options) => {
            if (path === 'e/DC1/finished.parse') here = names.map((name) => existsSync(at(name)));
            return await reader.read(path, options);
          },
        }),
    });
    expect(outcome).toMatchObject({ files: 4, told: [], tally: { wanted: 4 } });
    expect(here).toEqual([true, true, true]);
  });

  it('does not come where a file of its directory is missing, and does elsewhere', async () => {
    const { run, at } = stage({
      'e/DC1/sub/a': 'a',
      'e/DC1/finished.parse': '',
      'e/DC2/b': 'b',
      'e/DC2/finished.parse': '',
    });
    mkdirSync(at('e/DC1/sub/a'), { recursive: true });
    expect(await run({ change: sealsFirst })).toMatchObject({
      files: 2,
      told: ['PATH_CONFLICT e/DC1/sub/a'],
    });
    expect(existsSync(at('e/DC1/finished.parse'))).toBe(false);
    expect(existsSync(at('e/DC2/finished.parse'))).toBe(true);
    rmSync(at('e/DC1/sub/a'), { recursive: true });
    expect(await run()).toMatchObject({ files: 2, told: [] });
    expect(existsSync(at('e/DC1/finished.parse'))).toBe(true);
  });

  it('does not come where the fetch ends before all is done', async () => {
    const { run, at } = stage({ 'e/DC1/a': 'a', 'e/DC1/finished.parse': '' });
    const outcome = await run({
      change: (reader) =>
        sealsFirst(reader, {
          read: async (path, options) => {
            if (path === 'e/DC1/a') throw new IsyncError('UNREACHABLE', 'nobody answers');
            return await reader.read(path, options);
          },
        }),
    });
    expect(outcome).toMatchObject({ failure: { code: 'UNREACHABLE' }, files: 0 });
    expect(existsSync(join(at('e/DC1'), PARSE_MARKER))).toBe(false);
  });

  it('is listed once more where too many of them wait', async () => {
    const paths = ['DC1/a', 'DC1/finished.parse', 'DC2/finished.parse', 'DC3/finished.parse'];
    const seals = new Seals(2);
    expect(paths.filter((path) => seals.hold(entryAt(path)))).toEqual(paths.slice(1));
    seals.problem('DC2');
    const due = await all(
      seals.due(async function* () {
        yield* paths.map(entryAt);
      }),
    );
    expect(due.map(({ path }) => path)).toEqual(['DC1/finished.parse', 'DC3/finished.parse']);
  });

  it('tells once of a folder that can not be read, in whichever of both listings', async () => {
    const { run } = stage({});
    const gone = (folder: string): [RelPath, IsyncError] => [
      parseRelPath(folder),
      new IsyncError('FILE_UNREADABLE', 'no'),
    ];
    let listings = 0;
    const change = (reader: Reader): Reader =>
      changed(reader, {
        async *list({ onUnreadable } = {}) {
          onUnreadable?.(...gone('DC1'));
          if (++listings > 1) return onUnreadable?.(...gone('DC2'));
          for (let number = 0; number <= MOST_REMEMBERED; number++)
            yield entryAt(`DC${number}/finished.parse`);
        },
      });
    const { told } = await run({ change });
    expect({ listings, told }).toEqual({ listings: 2, told: ['FILE_UNREADABLE DC1', 'FILE_UNREADABLE DC2'] });
  });

  it('comes nowhere where problems are in too many directories to be remembered', async () => {
    const seals = new Seals(2);
    seals.hold(entryAt('DC1/finished.parse'));
    for (const name of ['DC2', 'DC3']) seals.problem(`${name}/a`);
    expect(await all(seals.due(async function* () {}))).toEqual([]);
  });
});
