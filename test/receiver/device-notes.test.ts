import { expect, it, vi } from 'vitest';
import { DeviceNotes } from '../../src/receiver/devices/device-notes.ts';
import { Devices } from '../../src/receiver/devices/devices.ts';
import { MemoryNotes } from '../../src/store/memory/memory-notes.ts';
import { isNoteName, type NoteName, type StoreNotes } from '../../src/store/store-notes.ts';
import { RecordingLog } from '../recording-log.ts';

/** A receiver that has read what is in the store. Disposing it is its end. */
async function receiverAt(notes: StoreNotes, receiver: string) {
  const devices = new Devices();
  const log = new RecordingLog();
  const keeping = new DeviceNotes({ notes, devices, receiver, log });
  await keeping.ready();
  return {
    devices,
    log,
    device: (name: string) => [...devices.all].find((one) => one.name === name),
    [Symbol.asyncDispose]: async () => await keeping[Symbol.asyncDispose](),
  };
}

/** A session of a device that sends one file, reports, and leaves. */
function visit(devices: Devices, device: string, bytes: number): void {
  const session = devices.opened({ device, mode: 'write', address: '10.0.0.7', software: 'isync/1' });
  session.kept('DC1/a', bytes);
  session.reported({
    files: 3,
    bytes: 30,
    oldestSeconds: 60,
    directory: 'DC2',
    sealed: 1,
    unsealed: 2,
    problems: [],
    problemCount: 4,
  });
  session.ended();
}

function note(name: string): NoteName {
  if (!isNoteName(name)) throw new Error(`no name of a note: ${name}`);
  return name;
}

it('a receiver knows its devices after a restart, and what it has counted today', async () => {
  const notes = new MemoryNotes(new Map());
  {
    await using before = await receiverAt(notes, 'one');
    visit(before.devices, 'edge1', 1000);
  }
  await using after = await receiverAt(notes, 'one');
  const device = after.device('edge1');
  expect(device).toMatchObject({ connected: false, directory: 'DC2', address: '10.0.0.7', files: 0 });
  expect(device?.today).toMatchObject({ files: 1, bytes: 1000 });
  expect(device?.report).toMatchObject({ files: 3, bytes: 30, sealed: 1, unsealed: 2, problemCount: 4 });
  expect(device?.oldestSeconds(Date.now())).toBeGreaterThanOrEqual(60);
});

it('of several receivers of a store each knows the devices of all, and none destroys what another knows', async () => {
  const notes = new MemoryNotes(new Map());
  {
    await using one = await receiverAt(notes, 'one');
    visit(one.devices, 'edge1', 1000);
  }
  {
    await using two = await receiverAt(notes, 'two');
    expect(two.device('edge1')?.report).toMatchObject({ files: 3 });
    // What another has counted is in its own sums.
    expect(two.device('edge1')?.today).toMatchObject({ files: 0 });
    visit(two.devices, 'edge2', 500);
    visit(two.devices, 'edge1', 7);
  }
  await using again = await receiverAt(notes, 'one');
  expect([...again.devices.all].map(({ name }) => name).toSorted((a, b) => a.localeCompare(b))).toEqual([
    'edge1',
    'edge2',
  ]);
  expect(again.device('edge1')?.today).toMatchObject({ files: 1, bytes: 1000 });
});

it('a note that somebody else has written does no harm', async () => {
  const notes = new MemoryNotes(new Map());
  const inFuture = Date.now() + 10 * 365 * 86_400_000;
  const odd = {
    edge1: { seenMs: inFuture, address: 'x'.repeat(1000), report: { files: -1 } },
    edge2: { seenMs: 'yesterday' },
    '../up': { seenMs: 1 },
    edge3: null,
  };
  const texts = [
    'no JSON',
    '[]',
    '{"version":2,"devices":{"edge9":{"seenMs":1}}}',
    JSON.stringify({ version: 1, atMs: Date.now(), devices: odd }),
  ];
  for (const [index, text] of texts.entries()) await notes.write(note(`devices-${index}`), Buffer.from(text));
  await using receiver = await receiverAt(notes, 'one');
  expect([...receiver.devices.all].map(({ name }) => name)).toEqual(['edge1']);
  const device = receiver.device('edge1');
  expect(device?.seenMs(0)).toBeLessThanOrEqual(Date.now());
  expect(device?.report).toBeUndefined();
  expect(device?.address.length).toBeLessThan(1000);
  expect(receiver.log.at('warn')).toEqual([]);
});

it('a store that keeps no notes is told of once, and hinders nothing', async () => {
  const failing = new MemoryNotes(new Map());
  vi.spyOn(failing, 'list').mockRejectedValue(new Error('no list'));
  vi.spyOn(failing, 'write').mockRejectedValue(new Error('no write'));
  const receiver = await receiverAt(failing, 'one');
  visit(receiver.devices, 'edge1', 1);
  await receiver[Symbol.asyncDispose]();
  expect(receiver.log.at('warn')).toMatchObject([{ fields: { code: 'STORE_FAILED' } }]);
});
