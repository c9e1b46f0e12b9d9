import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../harness/process.ts';
import { missingForCeph, startCeph, stopCeph } from '../../harness/ceph.ts';
import { leaveOut } from '../../harness/tools.ts';

const missing = missingForCeph();
if (missing !== undefined) leaveOut('Ceph', `harness/ceph install (missing: ${missing})`);

test.skipIf(missing !== undefined)(
  'is one server for all who ask, and ends with the process that it is for',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'isync-ceph-'));
    const owner = spawn('sleep', ['infinity']);
    try {
      const asked = await Promise.all([0, 1].map(async () => await startCeph(folder, owner.pid ?? 0)));
      expect(asked[0]).toEqual(asked[1]);
      const { port } = new URL(asked[0]?.['ISYNC_TEST_S3_ENDPOINT'] ?? '');
      expect(await answers(Number(port))).toBe(true);
      owner.kill('SIGKILL');
      await until('the server to be gone', async () => !(await answers(Number(port))));
      await until('what it kept to be gone', () => !existsSync(folder));
    } finally {
      owner.kill('SIGKILL');
      stopCeph(folder);
      await rm(folder, { recursive: true, force: true });
    }
  },
);

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
