import { beforeEach, expect, it, vi } from 'vitest';
import { parseReport, type DeviceReport } from '../../src/protocol/report.ts';
import { usingForTest } from './receiver-fixture.ts';
import { acknowledge } from './fake-receiver.ts';
import { QUICK, scripted } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

const REPORT: DeviceReport = {
  files: 1,
  bytes: 2,
  oldestSeconds: undefined,
  directory: undefined,
  sealed: 0,
  unsealed: 1,
  problems: [],
  problemCount: 0,
};

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

it('a sender reports to a receiver that asks for it, on each link', async () => {
  const script = { message: acknowledge, reports: true };
  const { receiver, target } = await scripted(script, QUICK, { report: () => REPORT });
  await target.put(folder.write('DC1/a', 'a'));
  await vi.waitFor(() => expect(receiver.heard.some(({ type }) => type === 'report')).toBe(true));
  const report = receiver.heard.find((message) => message.type === 'report');
  expect(report?.type === 'report' && parseReport(report.json)).toEqual(REPORT);
  receiver.sessions[0]?.socket.close(1001);
  await vi.waitFor(() =>
    expect(receiver.sessions[1]?.heard.some(({ type }) => type === 'report')).toBe(true),
  );
});

it.each([undefined, false])('an older receiver hears of none (%s in WELCOME)', async (reports) => {
  const script = { message: acknowledge, ...(reports !== undefined && { reports }) };
  const { receiver, target } = await scripted(script, QUICK, { report: () => REPORT });
  await target.put(folder.write('DC1/a', 'a'));
  await target.put(folder.write('DC1/b', 'b'));
  expect(receiver.heard.map(({ type }) => type)).not.toContain('report');
});
