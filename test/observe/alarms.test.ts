import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { measureAlarms } from '../../src/cli/status/alarm-metrics.ts';
import { Alarms, MAX_ALARMS } from '../../src/observe/status/alarms.ts';

const CERTIFICATE = { code: 'CERT_EXPIRES', text: 't', cure: 'c' };

it('an alarm keeps its time while its words change, and is told when it comes and when it goes', () => {
  let now = new Date(0);
  const alarms = new Alarms(() => now);
  const told: string[] = [];
  alarms.listen(({ kind, alarm }) => told.push(`${kind} ${alarm.text}`));
  alarms.raise({ ...CERTIFICATE, severity: 'warning', text: 'in 3 days' });
  now = new Date(1000);
  alarms.raise({ ...CERTIFICATE, severity: 'critical', text: 'in 1 day' });
  expect(alarms.list()).toMatchObject([
    { severity: 'critical', text: 'in 1 day', since: new Date(0).toISOString() },
  ]);
  alarms.clear('CERT_EXPIRES');
  alarms.clear('CERT_EXPIRES');
  expect(told).toEqual(['raised in 3 days', 'cleared in 1 day']);
});

it('metrics count the alarms of a code by how grave they are', async () => {
  const alarms = new Alarms();
  const registry = new Registry();
  measureAlarms(registry, alarms);
  const shown = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('isync_'));
  alarms.raise({ ...CERTIFICATE, severity: 'warning', subject: 'a' });
  alarms.raise({ ...CERTIFICATE, severity: 'critical', subject: 'b' });
  alarms.raise({ ...CERTIFICATE, severity: 'warning', subject: 'c' });
  expect(await shown()).toEqual([
    'isync_alarms{code="CERT_EXPIRES",severity="warning"} 2',
    'isync_alarms{code="CERT_EXPIRES",severity="critical"} 1',
  ]);
  for (const subject of ['a', 'b', 'c']) alarms.clear('CERT_EXPIRES', subject);
  expect(await shown()).toEqual([]);
});

it('of more alarms than anybody reads those that are critical are shown, and the rest is counted', () => {
  const alarms = new Alarms();
  for (let at = 0; at < 3_000; at++)
    alarms.raise({ code: 'NOT_REGULAR', severity: 'warning', subject: String(at), text: 't', cure: 'c' });
  alarms.raise({ code: 'STORE_FULL', severity: 'critical', text: 't', cure: 'c' });
  expect(alarms.list()).toHaveLength(MAX_ALARMS);
  expect(alarms.list()[0]?.code).toBe('STORE_FULL');
  expect(alarms.count).toBeGreaterThan(1_000);
  expect(alarms.all().length).toBeLessThan(1_100);
});
