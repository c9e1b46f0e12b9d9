import { mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { scanOnce, startReceiver, startScan, stopScan } from '../../harness/cli.ts';
import { isSealed, sameContent, temporaryFolder } from '../../harness/data-tree.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { mayNot } from '../../harness/tools.ts';
import { impossible, LoopDisk } from '../powercut/loop-disk.ts';
import { age } from '../sender/expire/fixture.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 384 * MIB;
const DIRECTORY_MIB = 32;
/** Free when the parser begins, as a part of the disk, and what is to stay so. */
const FREE_AT_FIRST = 0.1;
const MIN_FREE = '20%';
/** How fast the parser fills the disk at most, in MiB a second, and with how much: several times what is free at first. */
const MOST_MIB_PER_SECOND = 50;
const FILL_MIB = 96;
/** Of how fast this machine, with what else it does, makes room: the parser is no faster than so much of it. */
const PART_OF_PACE = 1 / 3;
/** What crosses the link meanwhile, in bytes a second: a small part of it. */
const SLOW_LINK = 2 * MIB;

const noDisk = impossible();

test.skipIf(mayNot('mount a disk in a file', noDisk?.why))(
  'a device that is nearly full, and filled faster than its receiver takes it, stays writable',
  async () => {
    await using folder = await temporaryFolder('filled');
    using disk = LoopDisk.make(join(folder.path, 'disk'), DISK_BYTES);
    const [root, store] = [join(disk.path, 'root'), join(folder.path, 'store')];
    for (const path of [root, store]) mkdirSync(path);
    const device = new Device(root);
    while (device.free > FREE_AT_FIRST) await device.fill('OLD');
    await using receiver = await startReceiver(store);
    await using proxy = await faultyProxy(receiver.port);
    const old = readdirSync(root);
    expect((await scanOnce(root, { to: receiver.url })).exitCode).toBe(0);
    for (const name of old) age(join(root, name), 3);

    // The receiver can't be reached at first: nothing goes, and the log says for what it waits.
    proxy.refuse = true;
    await using daemon = startScan(root, { to: proxy.url, args: ['--expire-min-free', MIN_FREE] });
    await daemon.until('the log to say what it waits for', () => daemon.stderr.includes('and room is short'));
    expect(daemon.stderr).toContain('stay until they can be compared with the target');
    expect(readdirSync(root).filter((name) => name.startsWith('OLD'))).toEqual(old);

    // Then it is slow.
    proxy.bytesPerSecond = SLOW_LINK;
    proxy.refuse = false;
    const [first = 0, second = 0] = await daemon.until('room to be made', () => {
      const times = expired(daemon.stderr).map(({ atMs }) => atMs);
      return times.length > 1 ? times : undefined;
    });
    const pace = (DIRECTORY_MIB * 1000) / (second - first);
    const mibPerSecond = Math.min(MOST_MIB_PER_SECOND, pace * PART_OF_PACE);
    let least = 1;
    for (let made = 0; made < FILL_MIB; made += DIRECTORY_MIB) {
      await device.fill('NEW', mibPerSecond);
      least = Math.min(least, device.free);
    }
    expect(least).toBeGreaterThan(0);
    expect(daemon.stderr).toContain('directory expired');

    // What is left of the old ones, and nothing of the new ones, may go; then the log says why no more room is made.
    proxy.bytesPerSecond = Infinity;
    await daemon.until('all new ones to be sealed', () =>
      device.all('NEW').every((name) => isSealed(root, name)),
    );
    const { summary } = await stopScan(daemon);
    expect(summary.problems).toEqual([]);
    const gone = old.filter((name) => !readdirSync(root).includes(name));
    expect(gone.length).toBeGreaterThan(0);
    expect(
      expired(daemon.stderr)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(gone.toSorted());
    for (const name of device.all('NEW'))
      expect(await sameContent(join(root, name, 'f0'), join(store, 'edge1', name, 'f0'))).toBe(true);
    for (const name of gone) {
      const kept = join(store, 'edge1', name);
      expect(readdirSync(kept).toSorted()).toEqual(['f0', 'f1', 'f2', 'f3', 'finished.parse']);
      for (let at = 0; at < 4; at++) {
        const made = Array.from({ length: DIRECTORY_MIB / 4 }, (_, mib) => contentOf(name, at, mib));
        expect(readFileSync(join(kept, `f${at}`)).equals(Buffer.concat(made))).toBe(true);
      }
    }
  },
);

test('a device on which nothing may go says why no room is made', async () => {
  await using folder = await temporaryFolder('filled-young');
  const [root, store] = [join(folder.path, 'root'), join(folder.path, 'store')];
  mkdirSync(store);
  mkdirSync(join(root, 'DC1'), { recursive: true });
  for (const name of ['a', 'finished.parse']) writeFileSync(join(root, 'DC1', name), name);
  await using receiver = await startReceiver(store);
  expect((await scanOnce(root, { to: receiver.url })).exitCode).toBe(0);
  mkdirSync(join(root, 'DC2'));
  writeFileSync(join(root, 'DC2/open'), '');
  // More than any disk has.
  await using daemon = startScan(root, { to: receiver.url, args: ['--expire-min-free', '1000TiB'] });
  await daemon.until('the log to say why', () =>
    daemon.stderr.includes('room is short, and no more can be made'),
  );
  expect(daemon.stderr).toMatch(/1 directory is sealed too lately \(the first may go at \d{4}-/);
  expect(daemon.stderr).toContain('1 directory is not sealed');
  expect(isSealed(root, 'DC1')).toBe(true);
});

/** The directories that have gone, as the log says, and when, in ms. */
function expired(log: string): { readonly name: string; readonly atMs: number }[] {
  const lines = log.split('\n').slice(0, -1);
  return lines
    .filter((line) => line.includes('directory expired'))
    .map((line) => JSON.parse(line) as { time: string; directory: string })
    .map(({ time, directory }) => ({ name: directory, atMs: Date.parse(time) }));
}

/** A MiB of what the parser writes. */
function contentOf(name: string, at: number, mib: number): Buffer {
  return Buffer.alloc(MIB, `${name} ${at} ${mib} `);
}

/** A parser that fills one directory after the other. */
class Device {
  readonly #root: string;
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** Free for a user, as a part of all. */
  get free(): number {
    const { bavail, bfree, blocks } = statfsSync(this.#root);
    return bavail / (blocks - bfree + bavail);
  }

  all(prefix: string): string[] {
    return readdirSync(this.#root).filter((name) => name.startsWith(prefix));
  }

  /** Makes a directory and closes it. Rejects with ENOSPC where the disk is full. */
  async fill(prefix: string, mibPerSecond = Infinity): Promise<void> {
    const name = `${prefix}${++this.#count}`;
    mkdirSync(join(this.#root, name));
    const startedMs = performance.now();
    let written = 0;
    for (let at = 0; at < 4; at++) {
      await using file = await open(join(this.#root, name, `f${at}`), 'w', 0o644);
      for (let mib = 0; mib < DIRECTORY_MIB / 4; mib++) {
        await file.write(contentOf(name, at, mib));
        written++;
        const aheadMs = startedMs + (written * 1000) / mibPerSecond - performance.now();
        if (aheadMs > 0) await sleep(aheadMs);
      }
    }
    writeFileSync(join(this.#root, name, 'finished.parse'), '');
  }
}
