import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import type { KeyEncoding, ParsedRecord } from '../../src/events/parse/parsed.ts';

// The bodies of Ceph were recorded from radosgw 16.2; the others follow the documentation of whoever sends them.
const MESSAGES = join(import.meta.dirname, 'messages');

/** Of each message, what its records come to. */
const GIVES: Readonly<Record<string, readonly string[]>> = {
  'aws-1.0-put': ['aws created ObjectCreated:Put test-folder/a b+c/д.html'],
  'aws-2.0-prefixed': ['aws created ObjectCreated:Copy test-folder/a b+c/д.html'],
  'aws-2.1-put': ['aws created ObjectCreated:Put test-folder/a b+c/д.html'],
  'aws-2.6-multipart': ['aws created ObjectCreated:CompleteMultipartUpload test-folder/a b+c/д.html'],
  'aws-delete-marker': ['aws removed ObjectRemoved:DeleteMarkerCreated test-folder/gone.txt'],
  'aws-expired': ['aws removed LifecycleExpiration:Delete expiration/delete'],
  'aws-expired-versioned': ['aws removed LifecycleExpiration:DeleteMarkerCreated expiration/delete'],
  'aws-nothing-of-content': [
    'aws ignored ObjectRestore:Post',
    'aws ignored ObjectTagging:Put',
    'aws ignored ObjectTagging:Delete',
    'aws ignored ObjectAcl:Put',
    'aws ignored LifecycleTransition',
    'aws ignored ObjectRestore:Delete',
    'aws ignored Replication:OperationMissedThreshold',
    'aws ignored IntelligentTiering',
    'aws ignored ReducedRedundancyLostObject',
  ],
  'aws-removed': ['aws removed ObjectRemoved:Delete test-folder/gone.txt'],
  'aws-requests': [
    'aws created PutObject PutObject',
    'aws created PutObjectCopy PutObjectCopy',
    'aws created CompleteMultipartUpload CompleteMultipartUpload',
    'aws removed DeleteObject DeleteObject',
  ],
  'aws-restored': ['aws created ObjectRestore:Completed archive/old.tar'],
  'aws-ten-one-bad': [
    ...[0, 1, 2, 3].map((index) => `aws created ObjectCreated:Put ten/${index}.txt`),
    'unparsable: the key has escapes that are not UTF-8',
    ...[5, 6, 7, 8, 9].map((index) => `aws created ObjectCreated:Put ten/${index}.txt`),
  ],
  'aws-test-event': ['aws ignored TestEvent'],
  'ceph-delete': ['ceph removed ObjectRemoved:Delete test-folder/a b+c%2Fд.txt'],
  'ceph-delete-marker': ['ceph removed ObjectRemoved:DeleteMarkerCreated versioned'],
  'ceph-lifecycle': [
    'ceph removed ObjectLifecycle:Expiration:Current test-folder/a b+c%2Fд.txt',
    'ceph ignored ObjectLifecycle:Expiration:AbortMultipartUpload',
    'ceph created ObjectSynced:Create test-folder/a b+c%2Fд.txt',
    'ceph removed ObjectSynced:Delete test-folder/a b+c%2Fд.txt',
    'ceph removed LifecycleExpiration:Delete test-folder/a b+c%2Fд.txt',
  ],
  'ceph-multipart': ['ceph created ObjectCreated:CompleteMultipartUpload large'],
  'ceph-put': ['ceph created ObjectCreated:Put test-folder/a b+c%2Fд.txt'],
  'ceph-versioned-put': ['ceph created ObjectCreated:Put versioned'],
  'eventbridge-created': ['eventbridge created Object Created test-folder/a+b%2F c.txt'],
  'eventbridge-deleted': ['eventbridge removed Object Deleted test-folder/gone.txt'],
  'eventbridge-expired': ['eventbridge removed Object Deleted test-folder/gone.txt'],
  'eventbridge-restored': ['eventbridge created Object Restore Completed archive/old.tar'],
  'eventbridge-tags': ['eventbridge ignored Object Tags Added'],
  'minio-accessed': ['minio ignored ObjectAccessed:Get'],
  'minio-delete': ['minio removed ObjectRemoved:Delete test-folder/gone.txt'],
  'minio-put': ['minio created ObjectCreated:Put test-folder/a b+c.txt'],
  'sns-aws': [
    'aws created ObjectCreated:Put test-folder/a b+c/д.html',
    'aws removed ObjectRemoved:Delete second',
  ],
  'sns-eventbridge': ['eventbridge created Object Created test-folder/a+b%2F c.txt'],
  'sns-subscription': ['aws ignored SubscriptionConfirmation'],
  'sns-test-event': ['aws ignored TestEvent'],
  'unknown-store': [
    'aws created ObjectCreated:Put plain.txt',
    'unparsable: the key may be encoded or not, for its store is not known; the setting keyEncoding tells',
  ],
  'vk-delete-blanks': ['vk removed ObjectRemoved:Delete some-file-to-bucket'],
  'vk-put': ['vk created ObjectCreated:Put some-file-to-bucket'],
};

const names = readdirSync(MESSAGES).map((name) => name.replace(/\.json$/, ''));

it('knows what each recorded message gives', () => {
  expect(names.toSorted()).toEqual(Object.keys(GIVES).toSorted());
});

describe.each(names)('%s', (name) => {
  const body = messageOf(name);

  it('gives its events', () => {
    expect(parsed(body).map(inWords)).toEqual(GIVES[name]);
  });

  it('gives the same in an envelope of SNS', () => {
    if (name.startsWith('sns-')) return;
    const envelope = JSON.stringify({ Type: 'Notification', MessageId: 'x', Message: body });
    expect(parsed(envelope).map(inWords)).toEqual(GIVES[name]);
  });

  it.each(['auto', 'form', 'raw'] as const)('gives each record again from its source (%s)', (keyEncoding) => {
    for (const record of parsed(body, keyEncoding)) {
      if (record.outcome === 'ignored') continue;
      expect(parsed(record.source.body(), keyEncoding).map(bare)).toEqual([bare(record)]);
    }
  });
});

it.each<[string, ObjectEvent]>([
  [
    'aws-2.1-put',
    {
      kind: 'created',
      dialect: 'aws',
      name: 'ObjectCreated:Put',
      bucket: 'transport-dev',
      region: 'eu-central-1',
      key: 'test-folder/a b+c/д.html',
      size: 1024,
      etag: 'd41d8cd98f00b204e9800998ecf8427e',
      versionId: undefined,
      sequencer: '0055AED6DCD90281E5',
      timeMs: Date.UTC(2026, 2, 4, 5, 6, 7, 89),
    },
  ],
  [
    'eventbridge-deleted',
    {
      kind: 'removed',
      dialect: 'eventbridge',
      name: 'Object Deleted',
      bucket: 'transport-dev',
      region: 'ca-central-1',
      key: 'test-folder/gone.txt',
      size: undefined,
      etag: 'd41d8cd98f00b204e9800998ecf8427e',
      versionId: '1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF',
      sequencer: '617f0837b476e463',
      timeMs: Date.UTC(2026, 2, 4, 5, 6, 7),
    },
  ],
  [
    'minio-put',
    {
      kind: 'created',
      dialect: 'minio',
      name: 'ObjectCreated:Put',
      bucket: 'transport-dev',
      region: undefined,
      key: 'test-folder/a b+c.txt',
      size: 5,
      etag: 'd8e8fca2dc0f896fd7cb4cb0031ba249',
      versionId: undefined,
      sequencer: '17A9AB4FA93B35D8',
      timeMs: Date.UTC(2026, 2, 4, 5, 6, 7, 89),
    },
  ],
  [
    'ceph-versioned-put',
    {
      kind: 'created',
      dialect: 'ceph',
      name: 'ObjectCreated:Put',
      bucket: 'recorded',
      region: undefined,
      key: 'versioned',
      size: 1,
      etag: 'c4ca4238a0b923820dcc509a6f75849b',
      versionId: '9XDd1SYWm6LPLfZr5qqfBd6If4gJCQO',
      sequencer: 'DDA2076B89B24130',
      timeMs: Date.UTC(2026, 10, 26, 3, 9, 17, 804),
    },
  ],
  [
    'vk-put',
    {
      kind: 'created',
      dialect: 'vk',
      name: 'ObjectCreated:Put',
      bucket: 'bucketA',
      region: 'ru-msk',
      key: 'some-file-to-bucket',
      size: 100,
      etag: 'aed563ecafb4bcc5654c597a421547b2',
      versionId: undefined,
      sequencer: '1577453615',
      timeMs: undefined,
    },
  ],
])('reads all that %s tells', (name, event) => {
  expect(parsed(messageOf(name)).map(bare)).toEqual([{ outcome: 'event', event }]);
});

it('orders nothing by the sequencer of a store that it does not know', () => {
  expect(parsed(messageOf('unknown-store')).map(bare)[0]).toHaveProperty('event.sequencer', undefined);
});

describe('keyEncoding', () => {
  it.each<[string, KeyEncoding, string]>([
    ['aws-2.1-put', 'raw', 'test-folder/a+b%2Bc/%D0%B4.html'],
    ['minio-put', 'raw', 'test-folder%2Fa+b%2Bc.txt'],
    ['ceph-put', 'form', 'test-folder/a b c/д.txt'],
    ['eventbridge-created', 'form', 'test-folder/a b/ c.txt'],
  ])('reads the key of %s as %s', (name, keyEncoding, key) => {
    expect(parsed(messageOf(name), keyEncoding)).toHaveProperty('0.event.key', key);
  });

  it.each<[KeyEncoding, string]>([
    ['form', 'a b'],
    ['raw', 'a+b'],
  ])('makes the keys of an unknown store readable (%s)', (keyEncoding, key) => {
    expect(parsed(messageOf('unknown-store'), keyEncoding)).toHaveProperty('1.event.key', key);
  });
});

function messageOf(name: string): string {
  return readFileSync(join(MESSAGES, `${name}.json`), 'utf8');
}

function parsed(body: string, keyEncoding: KeyEncoding = 'auto'): readonly ParsedRecord[] {
  return parseMessage(body, { keyEncoding });
}

function inWords(record: ParsedRecord): string {
  if (record.outcome === 'unparsable') return `unparsable: ${record.reason}`;
  if (record.outcome === 'ignored') return `${record.dialect} ignored ${record.name}`;
  const { dialect, kind, name, key } = record.event;
  return `${dialect} ${kind} ${name} ${key}`;
}

/** What a record says, without its source. */
function bare(record: ParsedRecord): object {
  if (record.outcome === 'ignored') return record;
  const { source: _, ...said } = record;
  return said;
}
