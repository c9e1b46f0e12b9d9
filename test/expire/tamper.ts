import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../harness/random.ts';
import { DEVICE, type World } from './world.ts';

/** What happens to a target between two runs; `undo` makes it as it was. */
export interface Tampering {
  readonly name: string;
  /** Whether nothing may go on its word. */
  readonly isOther: boolean;
  readonly undo: () => void;
}

type Kind = 'nothing' | 'away' | 'other' | 'emptied' | 'cloned' | 'cut' | 'flip' | 'lost' | 'old';

const KINDS: readonly Kind[] = [
  'nothing',
  'nothing',
  'away',
  'other',
  'emptied',
  'cloned',
  'cut',
  'flip',
  'lost',
  'old',
];
/** What can happen while a run is at work, for nothing that it has compared is harmed by it. */
export const WHILE_AT_WORK: readonly Kind[] = ['away', 'other', 'emptied'];

/** Does something to the target, or nothing. Harmed are only copies of what is still on the device. */
export function tamper(world: World, random: Random, kinds = KINDS): Tampering {
  const { store } = world;
  const victims = world.present().filter((path) => existsSync(join(store, DEVICE, path)));
  const file = victims.length === 0 ? undefined : join(store, DEVICE, random.pick(victims));
  const kept = `${store}.kept`;
  switch (random.pick(kinds)) {
    case 'away':
      renameSync(store, kept);
      return { name: 'is away', isOther: true, undo: () => renameSync(kept, store) };
    case 'other':
      // Another store that holds the same.
      renameSync(store, kept);
      cpSync(kept, store, { recursive: true, preserveTimestamps: true });
      rmSync(join(store, '.isync/store-id'));
      return { name: 'is another store', isOther: true, undo: () => swapBack(store, kept) };
    case 'emptied':
      renameSync(store, kept);
      mkdirSync(store);
      return { name: 'is emptied', isOther: true, undo: () => swapBack(store, kept) };
    case 'cloned': {
      // The same store by its id, without some of its files: an older snapshot.
      renameSync(store, kept);
      cpSync(kept, store, { recursive: true, preserveTimestamps: true });
      const gone = random.some(victims, random.int(1, Math.max(1, victims.length)));
      for (const path of gone) rmSync(join(store, DEVICE, path), { force: true });
      return {
        name: `is an older snapshot without ${gone.length} files`,
        isOther: false,
        undo: () => swapBack(store, kept),
      };
    }
    case 'cut':
      return onFile('has a truncated file', file, (path) => truncateSync(path, statSync(path).size >> 1));
    case 'flip':
      return onFile('has a flipped bit', file, (path) => flip(path, random));
    case 'lost':
      return onFile('has lost a file', file, (path) => rmSync(path));
    case 'old':
      return onFile('has a file of another time', file, (path) => utimesSync(path, 1, 1));
    case 'nothing':
      return NOTHING;
  }
}

const NOTHING: Tampering = { name: 'is as it was', isOther: false, undo: () => undefined };

/** With its time kept, as a disk that rots does; a truncated one of the same time, too. */
function onFile(name: string, file: string | undefined, harm: (path: string) => void): Tampering {
  if (file === undefined) return NOTHING;
  const copy = `${file}.kept`;
  copyFileSync(file, copy);
  const { atime, mtime, atimeMs, mtimeMs } = statSync(file);
  utimesSync(copy, atimeMs / 1000, mtimeMs / 1000);
  harm(file);
  if (existsSync(file) && name !== 'has a file of another time') utimesSync(file, atime, mtime);
  return {
    name,
    isOther: false,
    undo: () => {
      renameSync(copy, file);
      utimesSync(file, atimeMs / 1000, mtimeMs / 1000);
    },
  };
}

function flip(path: string, random: Random): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return writeFileSync(path, 'x');
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  writeFileSync(path, bytes);
}

/** What has gone meanwhile was equal at the store of that time, so that is the one that stays. */
function swapBack(store: string, kept: string): void {
  if (readdirSync(kept).length === 0) throw new Error('the store that was kept is empty');
  rmSync(store, { recursive: true });
  renameSync(kept, store);
}
