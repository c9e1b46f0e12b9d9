import { describe, expect, it } from 'vitest';
import { parseNetworks } from '../../src/events/http/networks.ts';
import { asking, Kept, messageOf, record, TOKEN } from './http-support.ts';

const FIRST = {
  timestamp: '2019-12-26T19:29:12+03:00',
  topic: 'mcs2883541269|bucketA|s3:ObjectCreated:Put',
  token: 'RPE5UuG94rGgBH6kHXN9FUPugFxj1hs2aUQc99btJp3E49tA',
  url: 'http://test.com',
  signature: 'ea3fce4bb15c6de4fec365d36bcebbc34ccddf54616d5ca12e1972f82b6d37af',
};
const SECOND = {
  timestamp: '2020-06-15T15:01:13+03:00',
  topic: 'mcs5259999770|myfiles-ash|s3:ObjectCreated:*,s3:ObjectRemoved:*',
  token: 'E2itMqAMUVVZc51pUhFWSp13DoxezvRxkUh5P7LEuk1dEe9y',
  url: 'http://89.208.199.220/webhook',
  signature: '3754ce36636f80dfd606c5254d64ecb2fd8d555c27962b70b4f759f32c76b66d',
};
const HEADERS = { 'x-amz-sns-messages-type': 'SubscriptionConfirmation' };

function question({ timestamp, topic, token }: typeof FIRST): string {
  return JSON.stringify({
    Timestamp: timestamp,
    Type: 'SubscriptionConfirmation',
    Message: `You have chosen to subscribe to the topic ${topic}. To confirm …`,
    TopicArn: topic,
    SignatureVersion: 1,
    Token: token,
  });
}

describe('the question of VK Cloud', () => {
  it.each([FIRST, SECOND])(
    'is answered with the signature that its documentation gives: $url',
    async (vector) => {
      const kept = new Kept();
      const ask = asking(kept.options({ publicUrl: vector.url }));
      const { status, headers, text } = await ask({ body: question(vector), headers: HEADERS });
      expect([status, headers['content-type'], JSON.parse(text)]).toEqual([
        200,
        'application/json',
        { signature: vector.signature },
      ]);
      expect([kept.published, kept.parked]).toEqual([[], []]);
    },
  );

  it('is answered for the scheme, host and path that it came with', async () => {
    const ask = asking(new Kept().options());
    const { text } = await ask({ body: question(SECOND), headers: { ...HEADERS, host: '89.208.199.220' } });
    expect(JSON.parse(text)).toEqual({ signature: SECOND.signature });
  });

  it.each([
    ['what a trusted proxy was asked', '10.0.0.1', true],
    ['not what a stranger says that it was asked', '192.0.2.1', false],
  ])('is answered for %s', async (_, remoteAddress, isSame) => {
    const ask = asking(new Kept().options({ trustedProxies: parseNetworks(['10.0.0.0/8']), isTls: true }));
    const headers = {
      ...HEADERS,
      host: 'inner.example:8080',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': '89.208.199.220',
    };
    const { status, text } = await ask({ body: question(SECOND), headers, remoteAddress });
    expect([status, JSON.parse(text).signature === SECOND.signature]).toEqual([200, isSame]);
  });

  it('is told apart by the body, not by the header, which comes with events too', async () => {
    const kept = new Kept();
    expect(await asking(kept.options())({ body: messageOf(record()), headers: HEADERS })).toMatchObject({
      status: 200,
    });
    expect(kept.keys).toEqual(['a.jpg']);
  });

  it('of a topic that is not taken is refused', async () => {
    const ask = asking(new Kept().options({ topics: new Set([SECOND.topic]) }));
    expect(await ask({ body: question(FIRST) })).toMatchObject({ status: 403 });
    expect(await ask({ body: question(SECOND) })).toMatchObject({ status: 200 });
  });

  it.each([
    ['without a token', { authorization: undefined }, 401],
    ['with a wrong one', { authorization: `${TOKEN}x` }, 401],
  ])('%s is not answered', async (_, headers, status) => {
    const ask = asking(new Kept().options());
    expect(await ask({ body: question(FIRST), headers })).toMatchObject({ status, isRead: false });
  });

  it('is answered to strangers for topics that are named, and for no other', async () => {
    const open = { access: {} };
    expect(await asking(new Kept().options(open))({ body: question(FIRST) })).toMatchObject({ status: 403 });
    const ask = asking(new Kept().options({ ...open, topics: new Set([FIRST.topic]) }));
    expect(await ask({ body: question(FIRST) })).toMatchObject({ status: 200 });
    expect(await ask({ body: question(SECOND) })).toMatchObject({ status: 403 });
  });

  it.each([
    { Token: 7 },
    { Token: undefined },
    { Timestamp: '' },
    { TopicArn: 'x'.repeat(3000) },
    { Signature: 'x' },
  ])('that is not whole is refused: %o', async (change) => {
    const ask = asking(new Kept().options());
    const body = JSON.stringify({ ...JSON.parse(question(FIRST)), ...change });
    expect(await ask({ body })).toMatchObject({ status: 403 });
  });

  it('without a host is refused', async () => {
    const ask = asking(new Kept().options());
    for (const host of [undefined, 'a b', 'evil.example/x', 'a@b'])
      expect(await ask({ body: question(FIRST), headers: { host } })).toMatchObject({ status: 400 });
  });
});
