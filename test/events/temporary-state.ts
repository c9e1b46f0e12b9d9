import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { RecordingLog } from '../recording-log.ts';

/** A new state, which goes away after the test. */
export async function temporaryState(): Promise<PullState> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-state-'));
  const state = await openPullState(join(folder, 'state.db'), { log: new RecordingLog() });
  onTestFinished(async () => {
    await state[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return state;
}
