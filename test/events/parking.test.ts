import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { startNode } from '../../harness/process.ts';
import { openParking } from '../../src/events/parking/open-parking.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { mountTmpfs } from '../store/tmpfs.ts';
import { faultOf } from './state-objects.ts';
import { all, files, folder, keysOf, log, open, record, freshParking } from './parking-support.ts';

beforeEach(freshParking);

describe('a parked record', () => {
  it('is there for who opens the folder later, as it was given', async () => {
    const given = record('a/ä\u0001\ud800', { hint: 'Do this.', body: 'é\0"\n'.repeat(1000) });
    await (await open()).park(given);
    const parking = await open();
    expect(parking.count).toBe(1);
    const [found] = await all(parking);
    expect(found).toMatchObject({ ...given, id: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(new Date(found!.at).toISOString()).toBe(found!.at);
    expect(await parking.get(found!.id)).toEqual(found);
    expect(await parking.ids()).toEqual([found!.id]);
  });

  it('can have no bucket and key, and a body of 1 MiB that is all escapes', async () => {
    const parking = await open();
    const body = '\u0001'.repeat(2 ** 20);
    await parking.park(record('x', { bucket: undefined, key: undefined, body }));
    const [found] = await all(parking);
    expect(found).toMatchObject({ bucket: undefined, key: undefined, body });
  });

  it('is for its owner alone, and leaves no draft', async () => {
    const parking = await open();
    await parking.park(record('a'));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(files()).toHaveLength(1);
    expect(statSync(join(folder, files()[0]!)).mode & 0o777).toBe(0o600);
  });

  it('that comes again is parked once, with its first time and its last reason', async () => {
    const parking = await open();
    await parking.park(record('a'));
    const [first] = await all(parking);
    await Promise.all([
      parking.park(record('a', { reason: 'other' })),
      parking.park(record('a', { reason: 'last' })),
    ]);
    expect(await all(parking)).toEqual([{ ...first, reason: 'last' }]);
    expect(parking.count).toBe(1);
    await parking.park(record('a', { messageId: 'another message' }));
    expect(parking.count).toBe(2);
  });

  it('that comes many times at once is parked once', async () => {
    const parking = await open();
    await Promise.all(Array.from({ length: 20 }, () => parking.park(record('a'))));
    expect([files().length, parking.count]).toEqual([1, 1]);
  });

  it('is listed oldest first', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const parking = await open();
      for (const [at, name] of ['c', 'a', 'b'].entries()) {
        vi.setSystemTime(Date.UTC(2026, 1, 3, 4, 5, 6, at));
        await parking.park(record(name));
      }
      const found = await all(await open());
      expect(keysOf(found)).toEqual(['c', 'a', 'b']);
      expect(found[2]?.at).toBe('2026-02-03T04:05:06.002Z');
    } finally {
      vi.useRealTimers();
    }
  });

  it('goes when its key is settled, and no other does', async () => {
    const parking = await open();
    await parking.park(record('a'));
    await parking.park(record('a', { messageId: 'second' }));
    await parking.park(record('b'));
    await parking.park(record('a', { bucket: 'c' }));
    await parking.park(record('a', { bucket: undefined, key: undefined, messageId: 'none' }));
    await parking.settled('b', 'a');
    const left = (await all(parking)).map(({ bucket, key }) => `${bucket} ${key}`);
    expect(new Set(left)).toEqual(new Set(['b b', 'c a', 'undefined undefined']));
    expect(parking.count).toBe(3);
    // Known from the names alone, after a restart as well.
    const later = await open();
    await later.settled('b', 'b');
    expect(later.count).toBe(2);
  });

  it('costs a settled key nothing on the disk where it is not parked', async () => {
    const parking = await open();
    await parking.park(record('a'));
    renameSync(folder, `${folder}.away`);
    for (let at = 0; at < 1000; at++) await parking.settled('b', `k${at}`);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a record that is not there', () => {
  it.each(['0123456789abcdef', '../../etc/passwd', '', 'x'])('%j is told', async (id) => {
    const parking = await open();
    for (const attempt of [() => parking.get(id), () => parking.replay(id)])
      expect(await faultOf(attempt())).toMatchObject({ code: 'USAGE' });
    await parking.drop(id);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('two processes', () => {
  it('see what the other one does', async () => {
    const daemon = await open();
    await daemon.park(record('a'));
    await daemon.park(record('b'));
    const person = await open();
    expect(person.count).toBe(2);
    const [a, b] = (await all(person)).toSorted((x, y) => (x.key! < y.key! ? -1 : 1));
    await person.drop(a!.id);
    await person.replay(b!.id);
    expect(keysOf(await daemon.replays())).toEqual(['b']);
    expect(daemon.count).toBe(1);
    // Dropped by one, and parked again by the other: it is there.
    await daemon.park(record('a'));
    expect(new Set(keysOf(await all(person)))).toEqual(new Set(['a', 'b']));
  });

  it('may ask for and drop records while others are parked', async () => {
    const daemon = await open();
    await daemon.park(record('first'));
    const source = `
      import { openParking } from ${JSON.stringify(join(import.meta.dirname, '../../src/events/parking/open-parking.ts'))};
      const log = { debug() {}, info() {}, warn(...a) { console.error(...a); }, error() {}, with() { return log; } };
      const parking = await openParking(${JSON.stringify(folder)}, { log });
      let dropped = 0;
      console.log('open');
      while (dropped < 100)
        for (const id of await parking.ids()) {
          await parking.replay(id);
          await parking.drop(id);
          dropped++;
        }`;
    const person = startNode(['--input-type=module', '-e', source]);
    await person.until('the other process to be there', () => person.stdout.includes('open'));
    for (let at = 0; !person.over; at++) {
      if (daemon.count < 20) await daemon.park(record(`k${at}`));
      await daemon.replays();
    }
    const { exitCode, stderr } = await person.ended;
    expect([exitCode, stderr]).toEqual([0, '']);
    await daemon.replays();
    expect(daemon.count).toBe((await daemon.ids()).length);
    expect(log.lines).toEqual([]);
  });
});

describe('the folder', () => {
  it('may hold what is none of ours: it is told once and left alone', async () => {
    const parking = await open();
    await parking.park(record('good'));
    const name = files()[0]!;
    const [at = '', , key = ''] = name.split('-');
    const odd = ['..x', 'a\nb', '-rf', `${name}.bak`, 'x.replay', '🙂'];
    for (const each of odd) writeFileSync(join(folder, each), 'x');
    symlinkSync('/etc/passwd', join(folder, `${at}-${'a'.repeat(16)}-${key}`));
    execFileSync('mkfifo', [join(folder, `${at}-${'b'.repeat(16)}-${key}`)]);
    mkdirSync(join(folder, `${at}-${'c'.repeat(16)}-${key}`));
    writeFileSync(join(folder, `${at}-${'d'.repeat(16)}-${key}`), readFileSync(join(folder, name)));
    writeFileSync(join(folder, `${at}-${'e'.repeat(16)}-${key}`), '{"half');
    const before = files().toSorted();
    for (let look = 0; look < 2; look++) expect(keysOf(await all(parking))).toEqual(['good']);
    expect(files().toSorted()).toEqual(before);
    const told = log.at('warn').map(({ fields }) => fields['path']);
    expect(told).toHaveLength(odd.length + 5);
    expect(new Set(told).size).toBe(told.length);
  });

  it('loses the drafts of killed processes, but not those of today', async () => {
    await (await open()).park(record('a'));
    const [old, young] = ['0'.repeat(16), '1'.repeat(16)].map((name) => join(folder, `.${name}.tmp`));
    for (const path of [old!, young!]) writeFileSync(path, 'half');
    utimesSync(old!, 1, 1);
    expect(await all(await open())).toHaveLength(1);
    expect([existsSync(old!), existsSync(young!)]).toEqual([false, true]);
  });

  it('takes no more than it may, so that who sends events can not fill disk and memory with them', async () => {
    const parking = await openParking(folder, { log, most: 2 });
    for (const key of ['a', 'b']) await parking.park(record(key));
    await expect(parking.park(record('c'))).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    await parking.park(record('a'));
    await parking.settled('b', 'a');
    await parking.drop((await parking.ids())[0]!);
    await parking.park(record('c'));
    expect(parking.count).toBeLessThanOrEqual(2);
  });

  it('that was removed meanwhile is made again', async () => {
    const parking = await open();
    await parking.park(record('a'));
    renameSync(folder, `${folder}.away`);
    await parking.park(record('b')).catch(() => parking.park(record('b')));
    expect(keysOf(await all(parking))).toEqual(['b']);
  });

  it('on a full disk is STORE_FULL, and takes records once there is room', async () => {
    const disk = temporaryFolder();
    const unmount = mountTmpfs(disk);
    if (unmount === undefined) return;
    try {
      const full = join(disk, 'parked');
      const parking = await openParking(full, { log });
      await parking.park(record('first'));
      const large = record('large', { body: 'x'.repeat(2 ** 20) });
      expect(await faultOf(parking.park(large))).toMatchObject({ code: 'STORE_FULL', retryable: true });
      expect(readdirSync(full)).toHaveLength(1);
      expect(parking.count).toBe(1);
      await parking.park(record('second'));
      expect(parking.count).toBe(2);
    } finally {
      unmount();
    }
  });
});

describe('a disk that others need, too', () => {
  it('keeps the room that is to stay free, whatever strangers send', async () => {
    const disk = temporaryFolder();
    const unmount = mountTmpfs(disk);
    if (unmount === undefined) return;
    try {
      const { bavail, bsize } = statfsSync(disk);
      const parking = await openParking(join(disk, 'parked'), {
        log,
        minFreeBytes: bavail * bsize - 64 * 1024,
      });
      const parked = await Promise.allSettled(
        Array.from({ length: 40 }, (_, index) => parking.park(record(`k-${index}`))),
      );
      const refused = parked.filter((each) => each.status === 'rejected');
      expect(refused.length).toBeGreaterThan(20);
      expect(refused[0]).toMatchObject({ reason: { code: 'STORE_FULL', retryable: true } });
      expect(parking.count).toBe(40 - refused.length);
      expect(parking.count).toBeGreaterThan(5);
    } finally {
      unmount();
    }
  });
});
