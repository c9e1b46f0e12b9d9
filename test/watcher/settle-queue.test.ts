import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import { identityOf } from '../../src/model/file-identity.ts';
import { look } from '../../src/watcher/look.ts';
import { SettleQueue } from '../../src/watcher/settle-queue.ts';
import { MAX_SETTLING } from '../../src/watcher/settling.ts';
import { cleanup, makeRoot, until } from './support.ts';

function startQueue(root: string, settleMs = 50, onComplete = () => {}) {
  const told: string[] = [];
  const overflows = { count: 0 };
  const queue = new SettleQueue({
    root,
    settleMs,
    onComplete: (path) => {
      told.push(path);
      onComplete();
    },
    onOverflow: () => void overflows.count++,
  });
  cleanup(() => queue[Symbol.dispose]());
  return { queue, told, overflows };
}
const at = (name: string): RelPath => `DC1/${name}` as RelPath;

describe('SettleQueue', () => {
  it('tells a settled file once', async () => {
    const { root, directory } = makeRoot();
    writeFileSync(join(directory, 'a'), 'x');
    const { queue, told } = startQueue(root);
    queue.changed(at('a'));
    queue.changed(at('a'));
    expect(queue.size).toBe(1);
    await until(() => queue.size === 0);
    expect(told).toEqual(['DC1/a']);
  });

  it('does not tell a file while it grows', async () => {
    const { root, directory } = makeRoot();
    const file = join(directory, 'a');
    writeFileSync(file, 'x');
    const settleMs = 1000;
    const quietMs: number[] = [];
    let writtenMs = performance.now();
    const { queue } = startQueue(root, settleMs, () => quietMs.push(performance.now() - writtenMs));
    queue.changed(at('a'));
    for (const end = writtenMs + 1.5 * settleMs; performance.now() < end;) {
      await sleep(settleMs / 20);
      writtenMs = performance.now();
      appendFileSync(file, 'x');
    }
    await until(() => quietMs.length > 0);
    // Where the machine paused as long between two writes, it had settled indeed.
    for (const ms of quietMs) expect(ms).toBeGreaterThan(settleMs / 2);
  });

  it('tells a closed file in the same turn, and not again when it settles', async () => {
    const { root, directory } = makeRoot();
    writeFileSync(join(directory, 'a'), 'x');
    const { queue, told } = startQueue(root);
    queue.changed(at('a'), identityOf(look(join(directory, 'a'))!));
    queue.closed(at('a'));
    expect(told).toEqual(['DC1/a']);
    expect(queue.size).toBe(0);
  });

  it('drops what has vanished and folders, silently', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'folder'));
    writeFileSync(join(directory, 'gone'), 'x');
    const { queue, told } = startQueue(root);
    for (const name of ['gone', 'folder', 'never', 'folder/../x', 'gone/below']) queue.changed(at(name));
    queue.closed(at('never'));
    queue.closed(at('folder'));
    rmSync(join(directory, 'gone'));
    await until(() => queue.size === 0);
    expect(told).toEqual([]);
  });

  it('passes on what is no regular file at once, for the listing to report', async () => {
    const { root, directory } = makeRoot();
    symlinkSync('nowhere', join(directory, 'link'));
    const { queue, told } = startQueue(root, 600_000);
    queue.changed(at('link'));
    await until(() => told.length === 1);
    expect(told).toEqual(['DC1/link']);
  });

  it('settles 20,000 files and leaves the event loop free', async () => {
    const { root, directory } = makeRoot('memory');
    const names = Array.from({ length: 20_000 }, (_, i) => `f${i}`);
    for (const name of names) writeFileSync(join(directory, name), '');
    const { queue, told } = startQueue(root);
    for (const name of names) queue.changed(at(name));
    let turns = 0;
    await until(() => ++turns > 0 && queue.size === 0);
    expect(told.length).toBe(20_000);
    expect(new Set(told).size).toBe(20_000);
    expect(turns).toBeGreaterThan(5);
  });

  it('tells when there is no room, and nothing after disposal', async () => {
    const { root } = makeRoot();
    const { queue, overflows, told } = startQueue(root);
    for (let i = 0; i < MAX_SETTLING; i++) queue.changed(at(String(i)));
    expect(overflows.count).toBe(0);
    queue.changed(at('one more'));
    expect(overflows.count).toBe(1);
    queue[Symbol.dispose]();
    queue.changed(at('late'));
    queue.closed(at('late'));
    expect(overflows.count).toBe(1);
    expect(told).toEqual([]);
  });
});
