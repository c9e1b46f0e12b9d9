import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import {
  type BackupStanding,
  type JobStanding,
  measureBackups,
  metricsOf,
} from '../../src/backup/status/metrics.ts';
import { RUN } from './run-record.ts';

const NOW_MS = RUN.startedMs + 3600_000;
const JOB: JobStanding = {
  job: 'app',
  runs: [RUN],
  newestMs: RUN.startedMs,
  verifiedMs: new Map([
    ['s3://bucket', NOW_MS - 60_000],
    ['/mnt/usb', NOW_MS - 7_200_000],
  ]),
  faults: new Map(),
  maxAgeMs: 86_400_000,
  isOverdue: false,
  notices: new Map([['notify[0] wecom', { waiting: 1, sent: 5, lost: 2 }]]),
};
const STANDING: BackupStanding = {
  nowMs: NOW_MS,
  jobs: [JOB],
  stores: [
    {
      store: 's3://bucket',
      atMs: NOW_MS,
      endpoints: [
        {
          endpoint: 'https://a',
          isUp: true,
          fault: undefined,
          measured: {
            samples: 4,
            lost: 1,
            connectMs: { p50: 10, p95: 20 },
            firstByteMs: { p50: 30, p95: 40 },
          },
        },
        {
          endpoint: 'https://b',
          isUp: false,
          fault: { code: 'UNREACHABLE', message: 'gone' },
          measured: { samples: 4, lost: 4, connectMs: undefined, firstByteMs: undefined },
        },
      ],
    },
    {
      store: '/mnt/usb',
      atMs: NOW_MS,
      endpoints: [
        {
          endpoint: '/mnt/usb',
          isUp: false,
          fault: { code: 'STORE_MISSING', message: 'gone' },
          measured: undefined,
        },
      ],
    },
  ],
};

async function textOf(read: () => BackupStanding): Promise<string> {
  const registry = new Registry();
  measureBackups(registry, read);
  return await registry.metrics();
}

/** Lines with a value, without the common beginning. */
async function linesOf(standing: BackupStanding): Promise<string[]> {
  const text = await textOf(() => standing);
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace('isync_backup_', ''));
}

describe('the metrics of backups', () => {
  it('tell what the states do', async () => {
    expect(await linesOf(STANDING)).toEqual([
      `last_success_timestamp_seconds{backup="app"} ${RUN.endedMs! / 1000}`,
      `newest_timestamp_seconds{backup="app"} ${RUN.startedMs / 1000}`,
      'running{backup="app"} 0',
      'overdue{backup="app"} 0',
      'max_age_seconds{backup="app"} 86400',
      `last_run_timestamp_seconds{backup="app"} ${RUN.endedMs! / 1000}`,
      'last_run_failed{backup="app"} 0',
      'last_run_duration_seconds{backup="app"} 125',
      'last_run_bytes{backup="app"} 3565158',
      'last_run_files{backup="app"} 1234',
      'last_run_retries{backup="app"} 2',
      'last_run_problems{backup="app"} 0',
      'newest_verified_age_seconds{backup="app",store="s3://bucket"} 60',
      'newest_verified_age_seconds{backup="app",store="/mnt/usb"} 7200',
      'notices_waiting{backup="app",rule="notify[0] wecom"} 1',
      'notices_lost_total{backup="app",rule="notify[0] wecom"} 2',
      'store_up{store="s3://bucket"} 1',
      'store_up{store="/mnt/usb"} 0',
      'endpoint_up{store="s3://bucket",endpoint="https://a"} 1',
      'endpoint_up{store="s3://bucket",endpoint="https://b"} 0',
      'endpoint_up{store="/mnt/usb",endpoint="/mnt/usb"} 0',
      'endpoint_lost_ratio{store="s3://bucket",endpoint="https://a"} 0.25',
      'endpoint_lost_ratio{store="s3://bucket",endpoint="https://b"} 1',
      'endpoint_connect_seconds{store="s3://bucket",endpoint="https://a",quantile="0.5"} 0.01',
      'endpoint_connect_seconds{store="s3://bucket",endpoint="https://a",quantile="0.95"} 0.02',
      'endpoint_first_byte_seconds{store="s3://bucket",endpoint="https://a",quantile="0.5"} 0.03',
      'endpoint_first_byte_seconds{store="s3://bucket",endpoint="https://a",quantile="0.95"} 0.04',
    ]);
  });

  it('show nothing of what a job has not done yet', async () => {
    const job: JobStanding = {
      ...JOB,
      runs: [],
      newestMs: undefined,
      verifiedMs: new Map(),
      faults: new Map(),
      maxAgeMs: undefined,
      notices: new Map(),
    };
    expect(await linesOf({ nowMs: NOW_MS, jobs: [job], stores: [] })).toEqual(['running{backup="app"} 0']);
  });

  it('tell of the last run that has ended while another is under way, and of the last that was whole', async () => {
    const failed = { ...RUN, stage: 'failed', endedMs: RUN.endedMs! + 5000, problems: 3 } as const;
    const running = { ...RUN, stage: 'packing', endedMs: undefined, bytes: 1 } as const;
    const lines = await linesOf({ ...STANDING, jobs: [{ ...JOB, runs: [running, failed, RUN] }] });
    expect(lines).toEqual(
      expect.arrayContaining([
        'running{backup="app"} 1',
        'last_run_failed{backup="app"} 1',
        'last_run_problems{backup="app"} 3',
        `last_success_timestamp_seconds{backup="app"} ${RUN.endedMs! / 1000}`,
        `last_run_timestamp_seconds{backup="app"} ${RUN.endedMs! / 1000 + 5}`,
      ]),
    );
  });

  it('are of one look, and forget what is gone', async () => {
    const registry = new Registry();
    let looks = 0;
    let standing = STANDING;
    measureBackups(registry, () => {
      looks += 1;
      return standing;
    });
    await registry.metrics();
    expect(looks).toBeLessThan(metricsOf(STANDING).length);
    standing = { nowMs: NOW_MS, jobs: [], stores: [] };
    await expect
      .poll(async () => await registry.metrics(), { timeout: 20_000 })
      .not.toMatch(/^isync_backup_/m);
  });
});
