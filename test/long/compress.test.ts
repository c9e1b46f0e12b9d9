import { expect, test } from 'vitest';
import { telemetry } from '../sender/source-folder.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { startWire } from '../e2e/wire.ts';

const MIB = 1024 * 1024;
/** Slow enough that both sides die in the midst of the log. */
const SLOW = ['--compress', '--bwlimit', '1MB/s'];

test('over a thin link text takes a fraction of its bytes, also when both sides are killed', async () => {
  await using stage = await startStage();
  await using wire = await startWire(stage.receiver.port);
  const edge = await stage.edge('edge1');
  const log = telemetry(16 * MIB).toString();
  await edge.write({
    'DC1/app.log': log,
    'DC1/empty.csv': '',
    ...Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`DC1/${i}.json`, telemetry(3000, i).toString()]),
    ),
    'DC1/finished.parse': '',
  });

  const killed = edge.daemon(SLOW, { to: wire.url });
  await killed.until('some of the log to be sent', () => wire.sent() >= 0.5 * MIB);
  await Promise.all([killed.kill(), stage.receiver.process.kill()]);
  expect(edge.has('DC1/app.log')).toBe(false);
  await stage.restartReceiver();
  await using last = edge.daemon(['--compress'], { to: wire.url });
  await untilSealed(edge, ['DC1'], last);

  expect(await edge.differences()).toEqual([]);
  expect(wire.sent()).toBeLessThan(log.length / 4);
});
