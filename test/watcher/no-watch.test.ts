import { mkdirSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import { watchRoot } from '../../src/watcher/watch-root.ts';
import { cleanup, makeRoot, startWatch, until } from './support.ts';
import { RecordingLog } from '../recording-log.ts';

/** What the kernel says where its limits are reached, which no test can reach without harming the machine. */
const refusal = (code: string): Error => Object.assign(new Error(`${code}: refused`), { code });

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof fs>()),
  watch(path: string) {
    throw refusal(path.includes('DC1') ? 'ENOSPC' : 'EMFILE');
  },
}));

describe('where no watch can be had', () => {
  it('says so once aloud and asks for a listing every second', async () => {
    const { root, directory } = makeRoot();
    for (let i = 0; i < 100; i++) mkdirSync(join(directory, `${i}`));
    const { watch, recorder } = await startWatch(root);
    for (let i = 0; i < 100; i++) watch.entering(`DC1/${i}` as RelPath);
    const aloud = recorder.log.at('warn');
    expect(aloud).toHaveLength(1);
    expect(aloud[0]!.fields).toMatchObject({
      code: 'WATCH_FAILED',
      hint: expect.stringContaining('fs.inotify.max_user_watches'),
    });
    await until(() => recorder.reconciles.length >= 2);
    writeFileSync(join(directory, 'a'), 'x');
    watch.changed('DC1/a' as RelPath);
    await recorder.completed('a');
  });

  it('finds a new folder of the root by polling', async () => {
    const { root } = makeRoot();
    const told: string[] = [];
    const log = new RecordingLog();
    const watch = watchRoot({
      root,
      onChange: (by) => void told.push(by),
      log,
    });
    cleanup(async () => watch[Symbol.asyncDispose]());
    expect(watch.watching).toBe(false);
    mkdirSync(join(root, 'DC2'));
    await until(() => told.length > 0);
    expect(told).toEqual(['poll']);
    expect(log.lines.map(({ fields }) => fields['hint'])).toEqual([
      expect.stringContaining('fs.inotify.max_user_instances'),
    ]);
  });
});
