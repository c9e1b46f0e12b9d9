import type { RunRecord } from '../../src/backup/state/job-state.ts';

/** A run that has ended well. */
export const RUN: RunRecord = {
  id: '0d6ad1c6-6f36-4a5a-9f6d-6b3a26f1f1aa',
  startedMs: Date.UTC(2025, 3, 5, 12),
  endedMs: Date.UTC(2025, 3, 5, 12, 2, 5),
  type: 'full',
  trigger: 'schedule',
  stage: 'done',
  files: 1234,
  bytes: 3_565_158,
  retries: 2,
  problems: 0,
  backups: ['app_data_full_20250405T120000Z_001.tar.zst'],
  error: undefined,
};
