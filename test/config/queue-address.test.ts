import { expect, it } from 'vitest';
import { parseQueue, regionOfHost } from '../../src/config/queue-address.ts';

const NOWHERE = { url: undefined, account: undefined, region: undefined };

it.each([
  ['transport-dev', { ...NOWHERE, name: 'transport-dev' }],
  ['in_order.fifo', { ...NOWHERE, name: 'in_order.fifo' }],
  [
    'arn:aws:sqs:eu-central-1:123456789012:q',
    { ...NOWHERE, name: 'q', account: '123456789012', region: 'eu-central-1' },
  ],
  ['arn:aws-cn:sqs:cn-north-1:1:q', { ...NOWHERE, name: 'q', account: '1', region: 'cn-north-1' }],
  [
    'arn:aws-us-gov:sqs:us-gov-west-1:1:q.fifo',
    { ...NOWHERE, name: 'q.fifo', account: '1', region: 'us-gov-west-1' },
  ],
])('reads %s', (queue, address) => {
  expect(parseQueue(queue)).toEqual({ text: queue, ...address });
});

it.each([
  ['https://sqs.eu-central-1.amazonaws.com/123456789012/q', 'eu-central-1'],
  ['https://sqs.cn-north-1.amazonaws.com.cn/1/q', 'cn-north-1'],
  ['https://sqs-fips.us-gov-east-1.amazonaws.com/1/q', 'us-gov-east-1'],
  ['https://sqs.us-iso-east-1.c2s.ic.gov/1/q', 'us-iso-east-1'],
  ['https://sqs.eu-west-3.api.aws/1/q', 'eu-west-3'],
  ['https://vpce-0a1b-2c3d.sqs.us-east-2.vpce.amazonaws.com/1/q', 'us-east-2'],
  ['https://eu-west-1.queue.amazonaws.com/1/q', 'eu-west-1'],
  ['https://queue.amazonaws.com/1/q', 'us-east-1'],
  ['http://127.0.0.1:4566/000000000000/q', undefined],
  ['https://sqs.vk.example/q', undefined],
])('knows name and region of %s', (url, region) => {
  expect(parseQueue(url)).toEqual({ text: url, url, name: 'q', account: undefined, region });
  expect(regionOfHost(url)).toBe(region);
});

it.each([
  '',
  'a b',
  'a.b',
  'a/b',
  'x'.repeat(81),
  'arn:aws:s3:::bucket',
  'arn:aws:sqs:eu-central-1:123:',
  'arn:aws:sqs:eu-central-1:123:a:b',
  'https://sqs.eu-central-1.amazonaws.com/1/',
  'https://sqs.eu-central-1.amazonaws.com/1/q?x=1',
  'https://user:pass@sqs.example/1/q',
  'ftp://sqs.example/1/q',
  'https://',
])('refuses %j', (queue) => {
  expect(() => parseQueue(queue)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^(is no|has|holds) /),
    }),
  );
});
