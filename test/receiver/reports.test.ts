import { expect, it, vi } from 'vitest';
import { Devices } from '../../src/receiver/devices/devices.ts';
import { formatReport, type DeviceReport } from '../../src/protocol/report.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { greet } from './wire-client.ts';

const REPORT: DeviceReport = {
  files: 3,
  bytes: 4096,
  oldestSeconds: 60,
  directory: 'DC7',
  sealed: 2,
  unsealed: 1,
  problems: [{ code: 'NOT_REGULAR', subject: 'DC1/<b>', text: 'a symbolic link' }],
  problemCount: 1,
};

async function watched() {
  const devices = new Devices();
  const { url } = await receiverFor(gatedStore().store, { watch: devices });
  const device = () => [...devices.all][0];
  return { url, device };
}

it('a receiver offers to take reports, and keeps what the last one said', async () => {
  const { url, device } = await watched();
  const client = await greet(url, 'edge1');
  client.say({ type: 'report', json: formatReport(REPORT) });
  await vi.waitFor(() => expect(device()?.report).toMatchObject({ files: 3, bytes: 4096, sealed: 2 }));
  expect(device()).toMatchObject({ name: 'edge1', connected: true, directory: 'DC7', software: 'test' });
  expect(device()?.problems).toEqual(REPORT.problems);
  expect(device()?.oldestSeconds(Date.now() + 10_000)).toBeGreaterThanOrEqual(70);
  await client.close();
  await vi.waitFor(() => expect(device()?.connected).toBe(false));
});

it('a flood of reports is ignored unread but for the first', async () => {
  const { url, device } = await watched();
  const client = await greet(url, 'edge1');
  client.say({ type: 'report', json: formatReport(REPORT) });
  for (let n = 0; n < 1000; n++) client.say({ type: 'report', json: Buffer.from('no JSON') });
  client.say({ type: 'look', request: 1, digest: false, paths: [] });
  await client.next('looked');
  expect(device()?.report?.files).toBe(3);
});

it('a report that breaks a rule ends the session', async () => {
  const { url } = await watched();
  const client = await greet(url, 'edge1');
  client.say({ type: 'report', json: Buffer.from('{"files": -1}') });
  expect(await client.closed).toMatchObject({ code: 4400 });
});

it('who only reads may not report', async () => {
  const { url } = await watched();
  const client = await greet(url, 'edge1', { hello: { mode: 'read' } });
  client.say({ type: 'report', json: formatReport(REPORT) });
  expect(await client.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('mode read') });
});

it('counts what is kept of each device, and knows it when it is gone', async () => {
  const { url, device } = await watched();
  const client = await greet(url, 'edge1');
  client.upload(1, 'DC3/a', Buffer.alloc(1000));
  client.upload(2, 'DC4/b', Buffer.alloc(500));
  await client.acknowledged(2);
  expect(device()).toMatchObject({ files: 2, bytes: 1500, directory: 'DC4' });
  expect(device()?.today).toMatchObject({ files: 2, bytes: 1500 });
});
