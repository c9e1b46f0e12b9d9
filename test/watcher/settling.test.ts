import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import type { FileIdentity } from '../../src/model/file-identity.ts';
import { MAX_SETTLING, Settling } from '../../src/watcher/settling.ts';

const a = 'DC1/a' as RelPath;
const b = 'DC1/b' as RelPath;
const version = (change: Partial<FileIdentity> = {}): FileIdentity => ({
  dev: 1,
  ino: 1,
  size: 10,
  mtimeMs: 1000,
  ctimeMs: 1000,
  ...change,
});
const seen = (change: Partial<FileIdentity> = {}, quietMs = 0) => ({ version: version(change), quietMs });

describe('Settling', () => {
  it('wants a look at once for a path that nobody has looked at', () => {
    const settling = new Settling(250);
    expect(settling.nextDue()).toBeUndefined();
    settling.changed(a, 100);
    expect(settling.nextDue()).toBe(100);
    expect(settling.due(100, 10)).toEqual([a]);
  });

  it('completes a file that is unchanged for exactly the settle time, and not before', () => {
    const settling = new Settling(250);
    settling.changed(a, 0);
    expect(settling.observed(a, seen(), 0)).toBe(false);
    expect(settling.due(249, 10)).toEqual([]);
    expect(settling.nextDue()).toBe(250);
    expect(settling.due(250, 10)).toEqual([a]);
    expect(settling.observed(a, seen(), 250)).toBe(true);
    expect(settling.size).toBe(0);
    expect(settling.nextDue()).toBeUndefined();
  });

  it('counts from the version that came with the change, without a look of its own', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    expect(settling.nextDue()).toBe(250);
    expect(settling.observed(a, seen(), 250)).toBe(true);
  });

  it('keeps nothing of a change that our own mark came after, and all of one that came later', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version({ ctimeMs: 2000 }));
    settling.handled(a, version({ ctimeMs: 2000 }));
    expect(settling.size).toBe(0);
    for (const later of [{ ctimeMs: 3000 }, { size: 11 }, { mtimeMs: 1500, ctimeMs: 1500 }]) {
      settling.changed(a, 0, version(later));
      settling.handled(a, version({ ctimeMs: 2000 }));
      expect(settling.has(a)).toBe(true);
      settling.forget(a);
    }
  });

  it('has no patience with a change that was told before closes were', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    settling.patientMs = 5000;
    expect(settling.observed(a, seen(), 250)).toBe(true);
    settling.changed(a, 300, version());
    expect(settling.observed(a, seen(), 550)).toBe(false);
  });

  it('does not complete on a look that comes too early', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    expect(settling.observed(a, seen(), 249)).toBe(false);
    expect(settling.nextDue()).toBe(499);
  });

  it.each(['ino', 'size', 'mtimeMs'] as const)('starts anew when %s has changed', (field) => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    expect(settling.observed(a, seen({ [field]: 7 }), 250)).toBe(false);
    expect(settling.nextDue()).toBe(500);
    expect(settling.observed(a, seen({ [field]: 7 }), 500)).toBe(true);
  });

  it('does not mind a chmod, which changes ctime alone', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    settling.changed(a, 200, version({ ctimeMs: 7 }));
    expect(settling.observed(a, seen({ ctimeMs: 9 }), 250)).toBe(true);
  });

  it('starts anew with each newer version that a change brings', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    settling.changed(a, 100, version({ size: 11 }));
    settling.changed(a, 200, version({ size: 12 }));
    expect(settling.nextDue()).toBe(450);
    expect(settling.observed(a, seen({ size: 12 }), 450)).toBe(true);
  });

  it('is not put off by changes that bring nothing new', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    settling.changed(a, 100, version());
    settling.changed(a, 200);
    expect(settling.nextDue()).toBe(250);
    expect(settling.size).toBe(1);
  });

  it('forgets a path that has vanished', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    expect(settling.observed(a, undefined, 250)).toBe(false);
    expect(settling.size).toBe(0);
    expect(settling.due(1e9, 10)).toEqual([]);
  });

  it('knows nothing of a path that was forgotten or never told', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    settling.forget(a);
    settling.forget(b);
    expect(settling.observed(a, seen(), 300)).toBe(false);
    expect(settling.due(1e9, 10)).toEqual([]);
    expect(settling.size).toBe(0);
  });

  it('completes a path again after it has changed again', () => {
    const settling = new Settling(250);
    settling.changed(a, 0, version());
    expect(settling.observed(a, seen(), 250)).toBe(true);
    settling.changed(a, 300, version({ size: 11 }));
    expect(settling.observed(a, seen({ size: 11 }), 550)).toBe(true);
  });

  it('settles at once with a settle time of 0', () => {
    const settling = new Settling(0);
    settling.changed(a, 5, version());
    expect(settling.due(5, 10)).toEqual([a]);
    expect(settling.observed(a, seen(), 5)).toBe(true);
  });

  it('gives what is due oldest first and no more than asked for, again and again until answered', () => {
    const settling = new Settling(250);
    const paths = Array.from({ length: 10 }, (_, i) => `DC1/${i}` as RelPath);
    for (const [i, path] of paths.entries()) settling.changed(path, i, version());
    expect(settling.due(254, 3)).toEqual(paths.slice(0, 3));
    expect(settling.due(254, 99)).toEqual(paths.slice(0, 5));
    for (const path of paths.slice(0, 5)) settling.observed(path, seen(), 254);
    expect(settling.nextDue()).toBe(255);
  });

  it('refuses what is beyond its bound, but not what it knows', () => {
    const settling = new Settling(250);
    for (let i = 0; i < MAX_SETTLING; i++) expect(settling.changed(`DC1/${i}` as RelPath, 0)).toBe(true);
    expect(settling.changed(a, 0)).toBe(false);
    expect(settling.changed('DC1/0' as RelPath, 1)).toBe(true);
    settling.forget('DC1/0' as RelPath);
    expect(settling.changed(a, 0)).toBe(true);
    expect(settling.size).toBe(MAX_SETTLING);
  });

  describe('with patience', () => {
    it('waits that long for a file that was touched lately', () => {
      const settling = new Settling(250, 5000);
      settling.changed(a, 0, version());
      expect(settling.observed(a, seen({}, 250), 250)).toBe(false);
      expect(settling.nextDue()).toBe(5000);
      expect(settling.observed(a, seen({}, 4999), 5000)).toBe(true);
    });

    it('only settles a file that nothing has touched for that long', () => {
      const settling = new Settling(250, 5000);
      settling.changed(a, 0, version());
      expect(settling.observed(a, seen({}, 5000), 250)).toBe(true);
    });

    it('settles although the file system says old, so that a clock that is off can not hurt', () => {
      const settling = new Settling(250, 5000);
      settling.changed(a, 0);
      expect(settling.observed(a, seen({}, 1e9), 0)).toBe(false);
      expect(settling.nextDue()).toBe(250);
    });

    it('is not asked of a file whose close may have been missed', () => {
      const settling = new Settling(250, 5000);
      settling.changed(a, 0, version(), false);
      settling.changed(b, 0, version({ ino: 2 }));
      expect(settling.observed(a, seen(), 250)).toBe(true);
      expect(settling.observed(b, seen({ ino: 2 }), 250)).toBe(false);
    });

    it('is over for the files that wait when patience is', () => {
      const settling = new Settling(250, 5000);
      settling.changed(a, 0, version());
      settling.patientMs = 250;
      expect(settling.observed(a, seen({}, 250), 250)).toBe(true);
    });
  });

  it('keeps exact order and count through any mix of operations', () => {
    const settling = new Settling(10, 30);
    const model = new Set<string>();
    let random = 1;
    let wrong = 0;
    const next = (n: number): number => (random = (random * 48271) % 2147483647) % n;
    for (let now = 0; now < 20_000; now++) {
      const path = `DC1/${next(50)}` as RelPath;
      const size = next(3);
      if (next(4) === 0) {
        settling.forget(path);
        model.delete(path);
      } else {
        settling.changed(path, now, next(2) === 0 ? undefined : version({ size }));
        model.add(path);
      }
      const due = settling.due(now, 1000);
      expect(new Set(due).size).toBe(due.length);
      for (const path of due.slice(0, next(4))) {
        const observation = next(5) === 0 ? undefined : seen({ size: next(2) });
        const complete = settling.observed(path, observation, now);
        if (complete || observation === undefined) model.delete(path);
      }
      wrong += settling.size === model.size ? 0 : 1;
    }
    expect(wrong).toBe(0);
    // Left alone with unchanging files, everything completes.
    let now = 20_000;
    for (; settling.size > 0; now++) {
      for (const path of settling.due(now, 1000)) settling.observed(path, seen(), now);
      expect(now).toBeLessThan(21_000);
    }
    expect(settling.nextDue()).toBeUndefined();
  });
});
