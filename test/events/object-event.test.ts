import { describe, expect, it } from 'vitest';
import { compareSequencers, type ObjectEvent, withoutFuture } from '../../src/events/object-event.ts';

const NOW_MS = Date.UTC(2026, 2, 4);
const MINUTE_MS = 60_000;

const EVENT: ObjectEvent = {
  kind: 'created',
  dialect: 'aws',
  name: 'ObjectCreated:Put',
  bucket: 'b',
  region: undefined,
  key: 'k',
  size: undefined,
  etag: undefined,
  versionId: undefined,
  sequencer: sequencerAt(NOW_MS),
  timeMs: NOW_MS,
};

describe('what an event says of its place among others', () => {
  it.each<[string, Partial<ObjectEvent>]>([
    ['its own', {}],
    ['that of a clock ahead of ours', { sequencer: sequencerAt(NOW_MS + 14 * MINUTE_MS) }],
    ['an old one of S3', { sequencer: '0055AED6DCD90281E5' }],
    ['one of EventBridge', { dialect: 'eventbridge', sequencer: '617f0837b476e463' }],
    ['one of a store whose sequencers tell nothing', { dialect: 'ceph', sequencer: 'DDA2076B89B24130' }],
    ['none', { sequencer: undefined, timeMs: undefined }],
  ])('is kept: %s', (_, more) => {
    const event = { ...EVENT, ...more };
    expect(withoutFuture(event, NOW_MS)).toBe(event);
  });

  it.each<[string, Partial<ObjectEvent>, Partial<ObjectEvent>]>([
    ['the highest sequencer', { sequencer: 'f'.repeat(64) }, { sequencer: undefined }],
    ['one of EventBridge', { dialect: 'eventbridge', sequencer: 'ff' }, { sequencer: undefined }],
    [
      'a sequencer of the next hour',
      { sequencer: sequencerAt(NOW_MS + 60 * MINUTE_MS) },
      { sequencer: undefined },
    ],
    ['a time of the next hour', { timeMs: NOW_MS + 60 * MINUTE_MS }, { timeMs: undefined }],
  ])('is left out where that has not come yet: %s', (_, more, left) => {
    expect(withoutFuture({ ...EVENT, ...more }, NOW_MS)).toEqual({ ...EVENT, ...more, ...left });
  });
});

it.each([
  ['0055AED6DCD90281E5', '0055AED6DCD90281E6', -1],
  ['0055AED6DCD90281E5', '0055aed6dcd90281e5', 0],
  ['0055AED6', '0055AED600', 0],
  ['0055AED6', '0055AED5FF', 1],
  // Both ways that S3 has of telling of the same key.
  ['00617F0838', '617f0837b476e463', 1],
  ['617f0837b476e463', '00617F0838', -1],
])('sequencers %s and %s', (a, b, order) => {
  expect(Math.sign(compareSequencers(a, b))).toBe(order);
});

function sequencerAt(timeMs: number): string {
  return `00${Math.floor(timeMs / 1000).toString(16)}DCD90281E5`;
}
