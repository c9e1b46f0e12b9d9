import { expect, it } from 'vitest';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { RecordingLog } from '../recording-log.ts';

const HOUR_MS = 3600 * 1000;

it('tells each kind once for an address, and again after an hour with the count', () => {
  const log = new RecordingLog();
  let nowMs = 0;
  const warnings = new ThrottledLog(log, () => nowMs);
  for (let time = 0; time < 13; time++) {
    warnings.warn('a', `192.0.2.1:${1000 + time}`);
    warnings.warn('b', '192.0.2.1:1');
    warnings.warn('a', '192.0.2.2:1');
    warnings.warn('a', `2001:db8::${time}:1`);
    nowMs += HOUR_MS / 13;
  }
  expect(log.lines.map(({ message, fields }) => [message, fields?.['remote']])).toEqual([
    ['a', '192.0.2.1:1000'],
    ['b', '192.0.2.1:1'],
    ['a', '192.0.2.2:1'],
    ['a', '2001:db8::0:1'],
  ]);
  nowMs = HOUR_MS;
  warnings.warn('a', '192.0.2.1:9');
  expect(log.lines.at(-1)?.fields).toEqual({ remote: '192.0.2.1:9', suppressed: 12 });
});

it('writes a line a second when an attacker has addresses without end, and counts the rest', () => {
  const log = new RecordingLog();
  let nowMs = 0;
  const warnings = new ThrottledLog(log, () => nowMs);
  const flood = (from: number) => {
    for (let n = from; n < from + 10_000; n++)
      warnings.warn('a', `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:1`);
  };
  flood(0);
  expect(log.lines).toHaveLength(100);
  nowMs = 3000;
  flood(10_000);
  expect(log.lines).toHaveLength(103);
  expect(log.lines.at(100)?.fields).toMatchObject({ unsaid: 9900 });
});
