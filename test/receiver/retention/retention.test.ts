import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { DirectoryUses } from '../../../src/receiver/retention/directory-uses.ts';
import {
  Retention,
  type RetentionOptions,
  type RetentionRule,
} from '../../../src/receiver/retention/retention.ts';
import { withUses } from '../../../src/receiver/retention/used-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { RecordingLog } from '../../recording-log.ts';
import { useStoreFolder } from '../../store/folder.ts';

const folder = useStoreFolder();
const DAY_MS = 86_400_000;
const NEVER = new AbortController().signal;

function fileOf(path: string) {
  const bytes = Buffer.from(path);
  const entry = { path: parseRelPath(path), size: bytes.length, mtimeUs: 1_000_000 };
  return { entry, bytes, digest: { algorithm: 'xxh64', value: digestOf('xxh64', bytes) } } as const;
}

async function put(store: Store, path: string): Promise<void> {
  const { entry, bytes, digest } = fileOf(path);
  await store.put(entry, bytes, digest);
}

async function listAll(store: Store, prefix: string): Promise<void> {
  for await (const _ of store.list(parseRelPath(prefix)));
}

/** A store in which directories are sealed, one after the other, and a clock that a test sets. */
async function retentionOf(
  directories: readonly string[],
  changes: Partial<RetentionOptions & RetentionRule> = {},
) {
  const inner = await folder.open({ recordSeals: true });
  for (const directory of directories) {
    await put(inner, `${directory}/a`);
    await inner.sync(parseRelPath(directory));
  }
  const clock: { days: number; upMs: number; nowMs?: number } = { days: 0, upMs: 0 };
  const uses = new DirectoryUses(() => clock.upMs);
  const log = new RecordingLog();
  const gone: string[] = [];
  if (inner.retirements === undefined) throw new Error('a folder retires directories');
  const retention = new Retention({
    retirements: inner.retirements,
    uses,
    lock: async () => ({ [Symbol.dispose]: () => undefined }),
    ruleOf: () => ({ retainMs: 90 * DAY_MS, retainLast: 1, ...changes }),
    onRetired: (path) => void gone.push(path),
    log,
    now: () => clock.nowMs ?? Date.now() + clock.days * DAY_MS,
    up: () => clock.nowMs ?? Date.now() + clock.days * DAY_MS,
    ...changes,
  });
  const after = async (days: number): Promise<string[]> => {
    clock.days = days;
    const before = gone.length;
    await retention.look(NEVER);
    return gone.slice(before);
  };
  const has = (path: string): boolean => existsSync(join(folder.root, path));
  return { store: withUses(inner, uses), inner, after, has, log, clock };
}

describe('a sealed directory goes', () => {
  it('by what holds at that moment, also in the middle of a look', async () => {
    const rule = { retainMs: 90 * DAY_MS, retainLast: 1 };
    const { after, has } = await retentionOf(['edge1/DC1', 'edge1/DC2', 'edge1/DC3'], {
      ruleOf: () => ({ ...rule }),
      onRetired: () => void (rule.retainMs = Infinity),
    });
    await after(91);
    expect(['DC1', 'DC2', 'DC3'].map((name) => has(`edge1/${name}`))).toEqual([false, true, true]);
  });

  it('once its seal is old enough, the oldest first, with a line for each', async () => {
    const { after, log } = await retentionOf(['edge1/DC1', 'edge1/DC2', 'edge1/DC3']);
    expect(await after(89)).toEqual([]);
    expect(await after(91)).toEqual(['edge1/DC1', 'edge1/DC2']);
    expect(log.at('info').filter(({ message }) => message === 'directory retired')).toMatchObject([
      { fields: { path: 'edge1/DC1', files: 1, bytes: 11 } },
      { fields: { path: 'edge1/DC2' } },
    ]);
  });

  it('never below as many as are to stay of its device', async () => {
    const directories = ['edge1/DC1', 'edge1/DC2', 'edge1/DC3', 'edge2/DC1', 'edge2/DC2'];
    const { after, has } = await retentionOf(directories, { retainLast: 2 });
    expect(await after(1000)).toEqual(['edge1/DC1']);
    expect(directories.slice(1).every(has)).toBe(true);
  });

  it('never without a seal, however old', async () => {
    const { store, after, has } = await retentionOf(['edge1/DC8', 'edge1/DC9']);
    await put(store, 'edge1/open/a');
    expect(await after(1000)).toEqual(['edge1/DC8']);
    expect(has('edge1/open/a')).toBe(true);
  });

  it('later where a file came after its seal', async () => {
    const { inner, after, has, clock } = await retentionOf(['edge1/DC1', 'edge1/DC2']);
    const sealedMs = Date.now();
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(sealedMs + 10));
    await put(inner, 'edge1/DC1/late');
    // The seal is old enough at this moment, and the file is not.
    clock.nowMs = statSync(join(folder.root, 'edge1/DC1/late')).ctimeMs + 90 * DAY_MS - 5;
    expect(await after(0)).toEqual([]);
    expect(has('edge1/DC1/late')).toBe(true);
    clock.nowMs += 10;
    expect(await after(0)).toEqual(['edge1/DC1']);
  });

  it('not by a clock that was set ahead', async () => {
    const { after } = await retentionOf(['edge1/DC1', 'edge1/DC2'], { up: () => performance.now() });
    expect(await after(1000)).toEqual([]);
  });

  it('never where none is to go', async () => {
    const { after } = await retentionOf(['edge1/DC1', 'edge1/DC2'], { retainMs: Infinity });
    expect(await after(100_000)).toEqual([]);
  });

  it('not by a clock that was set back', async () => {
    const { after } = await retentionOf(['edge1/DC1', 'edge1/DC2']);
    expect(await after(-1000)).toEqual([]);
  });
});

describe('a directory that is in use stays until it has not been for ten minutes', () => {
  it.each([
    ['is listed', (store: Store) => listAll(store, 'edge1/DC1')],
    ['has a file that is asked about', (store: Store) => store.stat(parseRelPath('edge1/DC1/a'))],
    ['has a file that is read', (store: Store) => store.read(parseRelPath('edge1/DC1/a'))],
    ['has got a file', (store: Store) => put(store, 'edge1/DC1/b')],
    ['is sealed', (store: Store) => store.sync(parseRelPath('edge1/DC1'))],
  ])('one that %s', async (_how, use) => {
    const { store, after, clock, log } = await retentionOf(['edge1/DC1'], { retainLast: 0 });
    await use(store);
    expect(await after(91)).toEqual([]);
    expect(log.at('warn')).toMatchObject([
      { message: 'due, and stays', fields: { path: 'edge1/DC1', reason: 'it is in use' } },
    ]);
    clock.upMs += 600_000;
    expect(await after(91)).toEqual(['edge1/DC1']);
  });

  it('one with an upload under way, however long that takes', async () => {
    const { store, after, clock } = await retentionOf(['edge1/DC1'], { retainLast: 0 });
    const { entry, digest } = fileOf('edge1/DC1/large');
    const upload = await store.begin(entry, { algorithm: digest.algorithm, resume: true });
    clock.upMs += 3_600_000;
    expect(await after(91)).toEqual([]);
    await upload.suspend();
    expect(await after(91)).toEqual([]);
    clock.upMs += 600_000;
    expect(await after(91)).toEqual(['edge1/DC1']);
  });

  it('one with a file that is being read, however long that takes', async () => {
    const { store, after, clock } = await retentionOf(['edge1/DC1'], { retainLast: 0 });
    const found = await store.read(parseRelPath('edge1/DC1/a'));
    let pieces = 0;
    for await (const _ of found?.bytes ?? []) {
      pieces++;
      clock.upMs += 3_600_000;
      expect(await after(91)).toEqual([]);
    }
    expect(pieces).toBe(1);
    expect(await after(91)).toEqual([]);
    clock.upMs += 600_000;
    expect(await after(91)).toEqual(['edge1/DC1']);
  });

  it('not all of a device whose names are listed', async () => {
    const { store, after } = await retentionOf(['edge1/DC1'], { retainLast: 0 });
    await listAll(store, 'edge1');
    expect(await after(91)).toEqual(['edge1/DC1']);
  });
});

describe('the log', () => {
  it('says once a day why a directory that is due stays, and bounds the lines of a look', async () => {
    const directories = Array.from({ length: 30 }, (_, n) => `edge1/DC${n}`);
    const { store, after, log } = await retentionOf(directories, { retainLast: 0 });
    for (const directory of directories) await store.stat(parseRelPath(`${directory}/a`));
    const linesOf = async (days: number) => {
      log.lines.length = 0;
      await after(days);
      return log.at('warn').map(({ message }) => message);
    };
    const first = await linesOf(91);
    expect(first.filter((message) => message === 'due, and stays')).toHaveLength(20);
    expect(first.at(-1)).toBe('more directories are due, and stay');
    expect(await linesOf(91)).toHaveLength(10);
    expect(await linesOf(91)).toEqual([]);
    expect(await linesOf(93)).toHaveLength(21);
  });

  it('has nothing of a look while another process is at it', async () => {
    const { after, log } = await retentionOf(['edge1/DC1', 'edge1/DC2'], { lock: async () => undefined });
    expect(await after(100)).toEqual([]);
    expect(log.at('warn')).toEqual([]);
    expect(readdirSync(join(folder.root, 'edge1')).toSorted()).toEqual(['DC1', 'DC2']);
  });
});
