import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Fault, Stage } from './fault.ts';
import { noMount } from './machine.ts';

export const DISK_FAULTS: readonly Fault[] = [
  full('store'),
  full('root'),
  ...permissions(),
  away(false),
  away(true),
];

function full(which: 'store' | 'root'): Fault {
  return {
    name: `${which}-full`,
    needs: { smallDisk: which },
    impossible: noMount,
    // A parser that finds no room leaves half a file for a while.
    lenient: which === 'root',
    async strike(stage) {
      const ballast = join(dirname(stage[which]), 'ballast');
      for (let times = stage.random.int(1, 3); times > 0; times--) {
        fillUp(ballast, stage.random.pick([0, 1, 3, 30]));
        await stage.pause(stage.random.int(200, 1500));
        rmSync(ballast, { force: true });
        await stage.pause(stage.random.int(50, 300));
      }
    },
  };
}

/** Leaves `pages` of 4 KiB. */
function fillUp(ballast: string, pages: number): void {
  const { bavail, bsize } = statfsSync(dirname(ballast));
  const bytes = Math.max(0, bavail - pages) * bsize;
  try {
    writeFileSync(ballast, Buffer.alloc(bytes));
  } catch {
    // It is full even sooner.
  }
}

/** Takes a permission away for a while. */
function permissions(): Fault[] {
  const places: Readonly<Record<string, (stage: Stage) => string>> = {
    'store-permission': ({ store }) => store,
    'device-permission': ({ store, device }) => join(store, device),
    'copy-permission': ({ store, device, random }) => someFolder(join(store, device), random.next()),
    'staging-permission': ({ store }) => join(store, '.isync', 'staging'),
    'root-permission': ({ root }) => root,
    'directory-permission': ({ root, random }) => someFolder(root, random.next()),
  };
  return Object.entries(places).map(([name, place]) => ({
    name,
    needs: { user: true, ...(/^(root|directory)-/.test(name) ? {} : { store: 'folder' as const }) },
    lenient: true,
    async strike(stage) {
      for (let times = stage.random.int(1, 3); times > 0; times--) {
        await without(place(stage), stage.random.pick([0o000, 0o500, 0o600]), stage);
        await stage.pause(stage.random.int(20, 200));
      }
    },
  }));
}

async function without(path: string, mode: number, { random, pause }: Stage): Promise<void> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return; // It is not there, or out of reach by another fault.
  }
  try {
    const before = fstatSync(fd);
    fchmodSync(fd, mode);
    await pause(random.int(50, 1200));
    // Wherever it is by now: another fault may have moved what it lies in.
    fchmodSync(fd, before.mode & 0o7777);
  } finally {
    closeSync(fd);
  }
}

function someFolder(parent: string, number: number): string {
  try {
    const names = readdirSync(parent).filter(
      (name) => !name.startsWith('.') && statSync(join(parent, name)).isDirectory(),
    );
    return join(parent, names[number % names.length] ?? '');
  } catch {
    return parent;
  }
}

/** As when its disk is unmounted and mounted again; an empty folder may be seen in its place. */
function away(isMountPoint: boolean): Fault {
  return {
    name: isMountPoint ? 'store-unmounted' : 'store-away',
    needs: { store: 'folder' },
    // A process that starts on the empty folder can't know that it is not the store.
    alone: isMountPoint,
    async strike({ store, random, pause }) {
      const elsewhere = `${store}-away`;
      const { uid, gid } = statSync(store);
      renameSync(store, elsewhere);
      try {
        if (isMountPoint) emptyFolder(store, uid, gid);
        await pause(random.int(100, 1500));
        if (isMountPoint) rmSync(store, { recursive: true, force: true });
      } finally {
        renameSync(elsewhere, store);
      }
    },
  };
}

function emptyFolder(path: string, uid: number, gid: number): void {
  mkdirSync(path, { mode: 0o755 });
  chownSync(path, uid, gid);
}
