import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchRoot } from '../../src/watcher/watch-root.ts';
import { cleanup, makeRoot, until } from './support.ts';
import { RecordingLog } from '../recording-log.ts';

function startRootWatch(root: string) {
  const told: ('event' | 'poll')[] = [];
  const log = new RecordingLog();
  const watch = watchRoot({
    root,
    onChange: (by) => void told.push(by),
    log,
  });
  cleanup(async () => watch[Symbol.asyncDispose]());
  return { watch, told, log };
}

describe('a watch of the root', () => {
  it('tells of a new folder by an event, and nothing of what happens inside', async () => {
    const { root, directory } = makeRoot();
    const { watch: rootWatch, told, log } = startRootWatch(root);
    expect(rootWatch.watching).toBe(true);
    writeFileSync(join(directory, 'inside'), '');
    const inside = watch(directory);
    cleanup(() => inside.close());
    const later = once(inside, 'change');
    mkdirSync(join(directory, 'sub'));
    // Events come in the order of what they tell: any of the root before those of this later one.
    await later;
    expect(told).toEqual([]);
    mkdirSync(join(root, 'DC2'));
    await until(() => told.length === 1);
    expect(told).toEqual(['event']);
    expect(log.lines).toEqual([]);
  });

  it('tells of hundreds at once with few calls, the last after the last of them', async () => {
    const { root } = makeRoot();
    const { told } = startRootWatch(root);
    let made = 0;
    let before = Infinity;
    const tick = setInterval(() => {
      for (let i = 0; i < 50; i++) mkdirSync(join(root, `D${made++}`));
      if (made < 500) return;
      clearInterval(tick);
      before = told.length;
    }, 5);
    await until(() => told.length > before);
    expect(told.length).toBeLessThan(50);
    expect(new Set(told)).toEqual(new Set(['event']));
  });

  it('says so when the root vanishes, goes on polling, and watches the one that comes', async () => {
    const { root } = makeRoot();
    const { watch, told, log } = startRootWatch(root);
    renameSync(root, `${root}.away`);
    cleanup(() => rmSync(`${root}.away`, { recursive: true, force: true }));
    await until(() => log.lines.length === 1);
    expect(log.lines[0]!.fields['code']).toBe('ROOT_MISSING');
    expect(watch.watching).toBe(false);
    expect(told.at(-1)).toBe('poll');
    mkdirSync(root);
    await until(() => watch.watching);
    const before = told.length;
    mkdirSync(join(root, 'DC1'));
    await until(() => told.length > before);
    expect(told.at(-1)).toBe('event');
    expect(log.lines).toHaveLength(2);
  });

  it('notices that the root was made anew between two looks', async () => {
    const { root } = makeRoot();
    const { watch, told } = startRootWatch(root);
    rmSync(root, { recursive: true });
    mkdirSync(root);
    await until(() => told.includes('poll'));
    expect(watch.watching).toBe(true);
    const before = told.length;
    mkdirSync(join(root, 'DC1'));
    await until(() => told.length > before);
    expect(told.at(-1)).toBe('event');
  });

  it('starts on a root that is missing, and finds it when it comes', async () => {
    const { root } = makeRoot();
    rmSync(root, { recursive: true });
    const { watch, told, log } = startRootWatch(root);
    expect(log.lines).toHaveLength(1);
    expect(watch.watching).toBe(false);
    mkdirSync(root);
    await until(() => told.length > 0 && watch.watching);
  });

  it('tells nothing after disposal, which may be repeated', async () => {
    const { root } = makeRoot();
    const { watch, told } = startRootWatch(root);
    await watch[Symbol.asyncDispose]();
    await watch[Symbol.asyncDispose]();
    const other = startRootWatch(root);
    mkdirSync(join(root, 'DC2'));
    await until(() => other.told.length > 0);
    expect(told).toEqual([]);
  });
});
