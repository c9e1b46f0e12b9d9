import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeRoot, startWatch, until } from '../watcher/support.ts';

/** So many files that come at once into a directory that is watched by `events`. */
export function burstTest(events: 'inotify' | 'chokidar', files: number): void {
  it(`tells every file of a burst of ${files}`, async () => {
    const { root, directory } = makeRoot('memory');
    const { recorder } = await startWatch(root, { events });
    for (let i = 0; i < files; i++) writeFileSync(join(directory, `f${i}`), 'x');
    await until(() => recorder.complete.length >= files);
    expect(new Set(recorder.complete).size).toBe(files);
  });
}
