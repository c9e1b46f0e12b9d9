import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { errnoOf } from '../../src/model/isync-error.ts';
import { checkContents, type MadeBackup, packed, PackStage } from '../backup/packing.ts';

const stage = PackStage.use();

/** More than a tick of any kernel, in ms: what is older has settled. On disks that tick slower, packJob() takes longer. */
const TICK_MS = 40;
const now = (): number => Date.now() + 2000 - TICK_MS;

const name = fc.constantFrom('a', 'b', 'd/a', 'd/e/a', 'd');
const change = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write'),
      name,
      byte: fc.nat(2),
      size: fc.constantFrom(0, 1000, 1000),
      isOld: fc.constantFrom(true, true, false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('chmod'), name, mode: fc.constantFrom(0o600, 0o664) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('link'), name, other: name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename'), name, other: name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('symlink'), name, other: name }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(given: Change): void {
  const at = join(stage.data, given.name);
  const other = 'other' in given ? join(stage.data, given.other) : at;
  for (const path of [at, other]) mkdirSync(dirname(path), { recursive: true });
  if ('size' in given) {
    writeFileSync(at, Buffer.alloc(given.size, given.byte));
    // Then only its ctime tells.
    if (given.isOld) utimesSync(at, 1000, 1000);
  } else if ('mode' in given) chmodSync(at, given.mode);
  else if (given.kind === 'remove') rmSync(at, { recursive: true });
  else if (given.kind === 'link') linkSync(at, other);
  else if (given.kind === 'rename') renameSync(at, other);
  else if (given.kind === 'symlink') symlinkSync('some/where', other);
}

/** What a record says of a member, where it is stored left out; of a file, which others it is one with. */
function shown(record: FileRecord): unknown {
  const { path, mode, mtimeNs } = record;
  const common = [path, record.type, mode, mtimeNs];
  if (record.type === 'file') return [...common, record.size, record.sha256, record.linkTo ?? path];
  return record.type === 'symlink' ? [...common, record.target.toString()] : common;
}

function* onDisk(folder: string, first = new Map<bigint, string>()): Generator {
  for (const each of ['', ...readdirSync(folder).sort()]) {
    const at = join(folder, each);
    const path = at.slice(1);
    const stats = lstatSync(at, { bigint: true });
    const common = [path, Number(stats.mode & 0o7777n), stats.mtimeNs] as const;
    const row = (type: string, ...more: readonly unknown[]): unknown[] => [
      path,
      type,
      ...common.slice(1),
      ...more,
    ];
    if (stats.isSymbolicLink()) yield row('symlink', readlinkSync(at));
    else if (stats.isDirectory() && each !== '') yield* onDisk(at, first);
    else if (stats.isDirectory()) yield row('directory');
    else {
      const one = first.get(stats.ino) ?? path;
      first.set(stats.ino, one);
      const sha256 = createHash('sha256').update(readFileSync(at)).digest('hex');
      yield row('file', Number(stats.size), sha256, one);
    }
  }
}

it('lists the disk as it is after any changes, and has each content where it says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 8 }), { minLength: 4, maxLength: 6 }),
      async (rounds) => {
        rmSync(stage.data, { recursive: true });
        stage.put('kept', 'kept');
        const backups: MadeBackup[] = [];
        for (const [index, changes] of rounds.entries()) {
          for (const each of changes)
            try {
              apply(each);
            } catch (error) {
              // What can't be done, isn't: there is nothing of that name, or something else.
              if (errnoOf(error) === undefined) throw error;
            }
          backups.push(await packed(stage.job(), index + 1, { on: backups.at(-1) }, now));
          const { list } = backups.at(-1)!;
          expect(list.map(shown)).toEqual([...onDisk(stage.data)]);
          await checkContents(list, backups, 'zstd');
        }
      },
    ),
    { numRuns: 60 },
  );
});
