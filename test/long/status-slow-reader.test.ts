import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { startStatus } from '../../src/cli/status-server.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';
import { RecordingLog } from '../recording-log.ts';

/** Of a report: more than the system buffers of a connection. */
const REPORT_BYTES = 8_000_000;

it('cuts a page that reads nothing, and keeps no reports for it meanwhile', async () => {
  const board = new StatusBoard({ command: 'test', subject: 'x', version: '1' });
  let reports = 0;
  board.add(() => {
    const cells = [`${++reports} ${'x'.repeat(REPORT_BYTES)}`];
    const table = { columns: [{ id: 'c', label: 'C' }], rows: [{ key: 'k', cells }], total: 1 };
    return { id: 'large', title: 'Large', facts: [], table };
  });
  await using server = await startStatus({
    listen: { host: '127.0.0.1', port: 0 },
    token: undefined,
    board,
    metrics: new Registry(),
    notReady: () => undefined,
    log: new RecordingLog(),
  });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  socket.pause();
  await expect.poll(() => reports).toBeGreaterThan(5);
  // Two strings of one report, and what is on its way; 5 reports would be 40 MB more.
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(3 * REPORT_BYTES);
  // Reports are made while somebody listens, several in each look: there is nobody once it was cut.
  let before = -1;
  await expect
    .poll(
      () => {
        const isOver = reports === before;
        before = reports;
        return isOver;
      },
      { interval: 4_000, timeout: 120_000 },
    )
    .toBe(true);
  socket.destroy();
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});
