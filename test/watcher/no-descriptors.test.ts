import { ChildProcess } from 'node:child_process';
import type * as childProcess from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { Inotifywait } from '../../src/watcher/inotifywait.ts';

vi.mock('node:child_process', async (importActual) => ({
  ...(await importActual<typeof childProcess>()),
  // What spawn does without a free descriptor: no pid, no pipes, and an 'error' in the next turn.
  spawn: () => {
    const child = new ChildProcess();
    process.nextTick(() => child.emit('error', Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' })));
    return child;
  },
}));

test('without a free descriptor inotifywait can not be had, and nothing else happens', async () => {
  const options = { directory: '/', onEvents: () => {}, onComplaint: () => {} };
  await expect(Inotifywait.start(options, {})).rejects.toMatchObject({
    code: 'WATCH_FAILED',
    message: expect.stringContaining('EMFILE'),
  });
});
