import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { actionSettings } from '../../src/config/schemas/action.ts';
import { common, statusSettings } from '../../src/config/schemas/common.ts';
import { pullSchema } from '../../src/config/schemas/pull.ts';
import { maxDeliveriesOf } from '../../src/events/sqs/redrive-policy.ts';
import { kindOfEvent } from '../../src/events/parse/event-kind.ts';
import { freshConfig, read, withField } from './pull-file.ts';

const DOCS = readFileSync(new URL('../../docs/pull.md', import.meta.url), 'utf8');
/** What a pull asks of its queue. */
const OF_QUEUE = [
  'sqs:ChangeMessageVisibility',
  'sqs:DeleteMessage',
  'sqs:GetQueueAttributes',
  'sqs:GetQueueUrl',
  'sqs:ReceiveMessage',
];
/** Of a call, not of a config. */
const OF_A_CALL = ['once', 'check', 'dryRun', 'resyncNow'];

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string;
  readonly Principal?: { readonly Service: string };
  readonly Condition?: unknown;
}

beforeEach(freshConfig);

describe('docs/pull.md', () => {
  it('has a config that is one, and another in a line', () => {
    expect(read(blocks('yaml')[0] ?? '')).toMatchObject({
      buckets: ['transport'],
      sync: [{ folder: '/srv/a' }, { folder: '/srv/b' }],
    });
    const [, line = ''] = /`(\{ "queue": .*?\})`/.exec(DOCS) ?? [];
    expect(read(line)).toMatchObject({ sync: [{ prefix: 'a/' }, { prefix: 'b/' }] });
  });

  it('grants what a pull asks for, and no more', () => {
    const [least] = policies();
    expect(least?.map(({ Effect }) => Effect)).toEqual(['Allow', 'Allow']);
    expect(least?.flatMap(({ Action }) => Action).toSorted()).toEqual(['s3:GetObject', ...OF_QUEUE]);
    expect(least?.[0]?.Resource).toMatch(/^arn:aws:s3:::[a-z]+\/\*$/);
    const [listing] = blocks('json')
      .map((text) => JSON.parse(text) as Partial<Statement>)
      .filter(isStatement);
    expect(listing).toEqual({ Effect: 'Allow', Resource: 'arn:aws:s3:::transport', Action: 's3:ListBucket' });
    for (const other of ['arn:aws-cn', 'arn:aws-us-gov', '"Action": "kms:Decrypt"'])
      expect(DOCS).toContain(other);
  });

  it('lets that bucket of that account write to the queue, and no other', () => {
    const [, queue] = policies();
    expect(queue).toMatchObject([
      {
        Principal: { Service: 's3.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Condition: {
          ArnEquals: { 'aws:SourceArn': 'arn:aws:s3:::transport' },
          StringEquals: { 'aws:SourceAccount': expect.stringMatching(/^\d{12}$/) },
        },
      },
    ]);
  });

  it('has a notification of each event that changes content', () => {
    const [, text = ''] = /--notification-configuration '(.*?)'$/ms.exec(DOCS) ?? [];
    const { QueueConfigurations } = JSON.parse(text) as {
      readonly QueueConfigurations: readonly { readonly Events: readonly string[] }[];
    };
    const kinds = (QueueConfigurations[0]?.Events ?? []).map((name) => [
      name,
      kindOfEvent(name.replace('s3:', '').replace('*', 'Any')),
    ]);
    expect(Object.fromEntries(kinds)).toEqual({
      's3:ObjectCreated:*': 'created',
      's3:ObjectRemoved:*': 'removed',
      's3:LifecycleExpiration:*': 'removed',
      's3:ObjectRestore:Completed': 'created',
    });
  });

  it('has a redrive policy with the room that it asks for', () => {
    const [, text = ''] = /--attributes '(.*?)'$/ms.exec(DOCS) ?? [];
    const { RedrivePolicy } = JSON.parse(text) as { readonly RedrivePolicy: string };
    expect(maxDeliveriesOf(RedrivePolicy)).toBe(
      Number(/`maxReceiveCount` some room \((\d+) or/.exec(DOCS)?.[1]),
    );
  });

  it('names every setting of the file, and no other', () => {
    const others = new Set([
      ...Object.keys({ ...common, ...statusSettings, ...actionSettings }),
      ...OF_A_CALL,
    ]);
    const own = Object.keys(pullSchema.shape).filter((name) => !others.has(name));
    const told = rows().flatMap(({ names }) => names);
    expect(told.toSorted()).toEqual([...own, 'script', 'to', 'forward'].toSorted());
  });

  it('tells the defaults that the settings have', () => {
    const defaults = withField('');
    // Of those that are no values the test of each setting tells.
    const words = new Set(['–', 'any', 'AWS', 'as the AWS CLI', 'beside the config']);
    const told = rows().flatMap(({ names, values }) =>
      names.map((name, index) => [name, values[index] ?? values[0] ?? ''] as const),
    );
    const values = told.filter(([, value]) => !words.has(value));
    expect(values.length).toBeGreaterThan(10);
    for (const [name, value] of values)
      expect({ [name]: withField(`${name}: ${value}`) }).toEqual({ [name]: defaults });
  });

  it.each(
    [...DOCS.matchAll(/(?:^|`|\* |=\/usr\/bin\/)(isync pull [^`\n#]*)/gm)]
      .map(([, line = '']) => line.trim().replace('ID|all', 'all').replace('…', '/etc/isync/pull.yaml'))
      .filter((line) => !line.includes('--help')),
  )('has a command line that is one: %s', async (line) => {
    const [, ...args] = line.split(/\s+/);
    expect(await parseCommandLine(args, '0')).toHaveProperty('command.name');
  });

  it('has YAML that is YAML', () => {
    for (const text of blocks('yaml')) expect(parse(text)).toBeTypeOf('object');
  });
});

/** The blocks of a language. */
function blocks(language: string): string[] {
  return [...DOCS.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text = '']) => text,
  );
}

/** The statements of each policy. */
function policies(): readonly (readonly Statement[])[] {
  return blocks('json').flatMap((text) => {
    const { Statement: statements } = JSON.parse(text) as { readonly Statement?: readonly Statement[] };
    return statements === undefined ? [] : [statements];
  });
}

function isStatement({ Effect }: Partial<Statement>): boolean {
  return Effect !== undefined;
}

/** Of the table of settings: the names in a row, and the defaults that it gives them. */
function rows(): readonly { readonly names: readonly string[]; readonly values: readonly string[] }[] {
  const table = /^\| field \|.*?\n\n/ms.exec(DOCS)?.[0] ?? '';
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => {
      const [, names = '', values = ''] = row.split('|');
      return {
        names: [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
        values: values.split(',').map((value) => value.replaceAll('`', '').trim()),
      };
    });
}
