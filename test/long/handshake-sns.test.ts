import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { AMAZON_INTERMEDIATES } from '../../src/events/http/sns/amazon-intermediates.ts';
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { asking, Kept, messageOf, record } from '../events/http-support.ts';
import {
  type Pair,
  REGION,
  SNS_HOST,
  SnsAuthority,
  snsMessage,
  SnsServer,
  TOPIC,
} from '../events/sns-authority.ts';

const CERTIFICATE = '/SimpleNotificationService-0123456789abcdef.pem';

let authority: SnsAuthority;
let leaf: Pair;
let sns: SnsServer;
const others = new Map<string, Pair>();

describe.skipIf(lacks('openssl'))('a message of SNS', () => {
  beforeAll(async () => {
    authority = new SnsAuthority();
    leaf = authority.issue('leaf', { by: 'middle' });
    const names = [REGION, 'cn-north-1'].map((region) => `DNS:sns.${region}.amazonaws.com`);
    sns = new SnsServer(
      authority.issue('tls', { by: 'root', san: `${names.join(',')},DNS:sns.cn-north-1.amazonaws.com.cn` }),
    );
    await sns.listen();
    for (const [name, wanted] of Object.entries({
      byStranger: { by: 'stranger' },
      expired: { by: 'middle', days: -1 },
      other: { by: 'middle', cn: 'photos.amazonaws.com' },
      likeSns: { by: 'middle', cn: 'sns.amazonaws.com.evil.example' },
      foreignSan: { by: 'middle', san: 'DNS:evil.example' },
      otherRegion: { by: 'middle', san: 'DNS:sns.us-east-1.amazonaws.com' },
      weak: { by: 'middle', bits: 1024 },
      authority: { by: 'middle', ca: true },
      byLeaf: { by: 'leaf' },
      regional: { by: 'middle', san: `DNS:sns-signing.${REGION}.amazonaws.com` },
      china: { by: 'middle', cn: 'sns-cn-north-1.amazonaws.com.cn' },
    }))
      others.set(name, authority.issue(name, wanted));
  });
  afterAll(async () => {
    await sns?.[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
  });
  beforeEach(() => {
    sns.answers.clear();
    sns.asked.length = 0;
    sns.hosts.length = 0;
    // SNS serves its certificate alone; here its issuer must be there too, for it is none of Amazon's.
    sns.answers.set(CERTIFICATE, { body: chained(leaf) });
    sns.answers.set('/', { body: '<ConfirmSubscriptionResponse/>' });
  });

  const chained = ({ cert }: Pair): string => `${cert}${authority.read('middle.pem')}`;

  function door(options: Parameters<Kept['options']>[0] = {}) {
    const kept = new Kept();
    const ask = asking(
      kept.options({
        topics: new Set([TOPIC]),
        snsGet: sns.get({ ca: authority.root }),
        snsAuthorities: [authority.root],
        ...options,
      }),
    );
    const post = (message: unknown) =>
      ask({ body: JSON.stringify(message), headers: { 'content-type': 'text/plain; charset=UTF-8' } });
    return { kept, post };
  }

  it.each(['1', '2'])(
    'of signature version %s is confirmed once, at the URL that it names',
    async (version) => {
      const { post, kept } = door();
      const message = snsMessage('SubscriptionConfirmation', leaf.key, { SignatureVersion: version });
      expect(await post(message)).toMatchObject({ status: 200 });
      expect(sns.asked).toEqual([
        `${SNS_HOST}${CERTIFICATE}`,
        `${SNS_HOST}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=2336412f37`,
      ]);
      expect(kept.published).toEqual([]);
      expect(kept.parked).toEqual([]);
    },
  );

  it.each([
    ['with a subject', { Subject: 'Amazon S3 Notification\nwith "two" lines' }],
    ['without one', {}],
    ['of version 1', { SignatureVersion: '1' }],
  ])('that notifies %s is taken apart into its records', async (_, fields) => {
    const { post, kept } = door();
    const Message = messageOf(record('a'), record('b'));
    const message = snsMessage('Notification', leaf.key, { ...fields, Message });
    expect(await post({ ...message, UnsubscribeURL: 'https://evil.example/' })).toMatchObject({
      status: 200,
    });
    expect(kept.keys).toEqual(['a', 'b']);
    expect(sns.asked).toEqual([`${SNS_HOST}${CERTIFICATE}`]);
  });

  it('tells of a subscription that has ended, and subscribes to nothing', async () => {
    const { post, kept } = door();
    expect(await post(snsMessage('UnsubscribeConfirmation', leaf.key))).toMatchObject({ status: 200 });
    expect(sns.asked).toEqual([`${SNS_HOST}${CERTIFICATE}`]);
    expect(kept.log.at('warn')).toHaveLength(1);
  });

  it('of any number has its certificate fetched once', async () => {
    const { post } = door();
    const all = Array.from({ length: 20 }, (_, index) =>
      post(snsMessage('Notification', leaf.key, { Message: messageOf(record(`${index}`)) })),
    );
    for (const { status } of await Promise.all(all)) expect(status).toBe(200);
    expect(sns.asked).toEqual([`${SNS_HOST}${CERTIFICATE}`]);
  });

  it.each([
    ['regional', TOPIC, SNS_HOST],
    ['china', 'arn:aws-cn:sns:cn-north-1:123456789012:photos', 'sns.cn-north-1.amazonaws.com.cn'],
  ])('is taken with the names of a certificate that SNS has there: %s', async (name, arn, host) => {
    const pair = others.get(name)!;
    sns.answers.set(CERTIFICATE, { body: chained(pair) });
    const { post } = door({ topics: new Set([arn]) });
    const message = snsMessage('Notification', pair.key, {
      TopicArn: arn,
      SigningCertURL: `https://${host}${CERTIFICATE}`,
      Message: messageOf(record()),
    });
    expect(await post(message)).toMatchObject({ status: 200 });
  });

  describe('with a forged certificate is refused', () => {
    it.each([
      ['byStranger', 'leads to no authority'],
      ['byLeaf', 'leads to no authority'],
      ['expired', 'leads to no authority that is trusted, or is not valid'],
      ['other', 'is not one of SNS'],
      ['likeSns', 'is not one of SNS'],
      ['foreignSan', 'is not one of SNS'],
      ['otherRegion', 'is not one of SNS'],
      ['weak', 'has a weak key'],
      ['authority', 'is one of an authority'],
    ])('%s', async (name, why) => {
      const pair = others.get(name)!;
      const issuers = { byStranger: authority.read('stranger.pem'), byLeaf: leaf.cert }[name] ?? '';
      sns.answers.set(CERTIFICATE, { body: `${pair.cert}${issuers}${authority.read('middle.pem')}` });
      const { post, kept } = door();
      const message = snsMessage('Notification', pair.key, { Message: messageOf(record()) });
      expect(await post(message)).toMatchObject({ status: 403, text: expect.stringContaining(why) });
      // Nor is it asked for again at once.
      expect(await post(message)).toMatchObject({ status: 403 });
      expect(sns.asked).toHaveLength(1);
      expect(kept.published).toEqual([]);
    });

    it.each([
      ['an answer of the API that quotes one', () => `<Error>${chained(leaf)}</Error>`],
      ['no certificate', () => 'nothing'],
      ['a broken one', () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
      ['too many', () => chained(leaf).repeat(20)],
    ])('%s', async (_, body) => {
      sns.answers.set(CERTIFICATE, { body: body() });
      const { post } = door();
      expect(await post(snsMessage('Notification', leaf.key))).toMatchObject({ status: 403 });
    });

    it('a good one, before and after its time', async () => {
      for (const days of [-40, 40]) {
        const now = Date.now() + days * 86_400_000;
        const { post } = door({ now: () => now });
        const message = snsMessage('Notification', leaf.key, { Timestamp: new Date(now).toISOString() });
        expect(await post(message)).toMatchObject({ status: 403 });
      }
    });
  });

  it('whose certificate lacks its issuer is refused where that is none of Amazon, and none that the server names', async () => {
    sns.answers.set(CERTIFICATE, { body: leaf.cert });
    const { post } = door();
    expect(await post(snsMessage('Notification', leaf.key))).toMatchObject({ status: 403 });
  });

  it('whose certificate lacks its issuer is taken where the server of SNS names it', async () => {
    const { cert, key } = authority.issue('tls2', { by: 'middle', san: `DNS:${SNS_HOST}` });
    await using server = new SnsServer({ cert: `${cert}${authority.read('middle.pem')}`, key });
    await server.listen();
    server.answers.set(CERTIFICATE, { body: leaf.cert });
    const { post } = door({ snsGet: server.get({ ca: authority.root }) });
    expect(await post(snsMessage('Notification', leaf.key, { Message: messageOf(record()) }))).toMatchObject({
      status: 200,
    });
  });

  const EVIL_HOSTS = [
    'sns.eu-1.amazonaws.com.evil.example',
    'evil.example',
    'sns.us-east-1.amazonaws.com',
    'sns.eu-west-1.amazonaws.com.cn',
    'sns.eu-west-1.amazonaws.com.',
    'sns.eu-west-1.amazonaws.com:8443',
    'sns.eu-west-1.amazonaws.com:443',
    'user@sns.eu-west-1.amazonaws.com',
    'sns.eu-west-1.amazonaws.com@evil.example',
    'sns.eu-west-1.amazonaws.com%2eevil.example',
    'sns.eu-west-1.amazonaws.com\\@evil.example',
    'evil.example\\.sns.eu-west-1.amazonaws.com',
    'evil.example#.sns.eu-west-1.amazonaws.com',
    'evil.example?.sns.eu-west-1.amazonaws.com',
    'photos.s3.amazonaws.com',
    'sns.eu-west-1.amazоnaws.com',
    'sns。eu-west-1.amazonaws.com',
    'SNS.eu-west-1.amazonaws.com',
    'sns.eu-west-1.amazonaws.com\t',
    'xsns.eu-west-1.amazonaws.com',
    'a.sns.eu-west-1.amazonaws.com',
    'sns-eu-west-1.amazonaws.com',
    '127.0.0.1',
    '[::1]',
    '169.254.169.254',
    '',
  ];

  describe('that names another host makes nobody ask it for anything', () => {
    it.each(EVIL_HOSTS)('as its certificate: %s', async (host) => {
      const { post } = door();
      const message = snsMessage('SubscriptionConfirmation', leaf.key, {
        SigningCertURL: `https://${host}${CERTIFICATE}`,
      });
      expect(await post(message)).toMatchObject({ status: 403 });
      expect(sns.hosts).toEqual([]);
    });

    it.each(EVIL_HOSTS)('to confirm, though it is signed: %s', async (host) => {
      const { post } = door();
      const message = snsMessage('SubscriptionConfirmation', leaf.key, {
        SubscribeURL: `https://${host}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=1`,
      });
      expect(await post(message)).toMatchObject({ status: 403 });
      expect(sns.hosts).toEqual([]);
    });

    it.each([
      `http://${SNS_HOST}${CERTIFICATE}`,
      `https://${SNS_HOST}/`,
      `https://${SNS_HOST}/evil.pem`,
      `https://${SNS_HOST}/x${CERTIFICATE}`,
      `https://${SNS_HOST}/x/..${CERTIFICATE}`,
      `https://${SNS_HOST}/${CERTIFICATE}`,
      `https://${SNS_HOST}${CERTIFICATE}?Action=GetEndpointAttributes`,
      `https://${SNS_HOST}/?Action=GetEndpointAttributes&x=${CERTIFICATE}`,
      `https://${SNS_HOST}${CERTIFICATE}#x`,
      `https://${SNS_HOST}/SimpleNotificationService-%2e%2e.pem`,
      `https://${SNS_HOST}/SimpleNotificationService${'a'.repeat(100)}.pem`,
      `file:///SimpleNotificationService-1.pem`,
      `//${SNS_HOST}${CERTIFICATE}`,
      ` https://${SNS_HOST}${CERTIFICATE}`,
      'nonsense',
    ])('in an odd URL: %s', async (SigningCertURL) => {
      const { post } = door();
      expect(await post(snsMessage('Notification', leaf.key, { SigningCertURL }))).toMatchObject({
        status: 403,
      });
      expect(sns.hosts).toEqual([]);
    });

    it.each([
      `http://${SNS_HOST}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=1`,
      `https://${SNS_HOST}/?Action=DeleteTopic&TopicArn=${TOPIC}`,
      `https://${SNS_HOST}/?Action=ConfirmSubscription&TopicArn=${TOPIC}-2&Token=1`,
      `https://${SNS_HOST}/x?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=1`,
    ])('to confirm something else: %s', async (SubscribeURL) => {
      const { post } = door();
      const message = snsMessage('SubscriptionConfirmation', leaf.key, { SubscribeURL });
      expect(await post(message)).toMatchObject({ status: 403 });
      expect(sns.asked).toEqual([]);
    });
  });

  it.each([
    ['a topic that is not taken', { TopicArn: `${TOPIC}-2` }],
    ['a stale time', { Timestamp: new Date(Date.now() - 3_700_000).toISOString() }],
    ['a time to come', { Timestamp: new Date(Date.now() + 3_700_000).toISOString() }],
    ['no time', { Timestamp: 'yesterday' }],
    ['another version', { SignatureVersion: '3' }],
    ['a version that is a number', { SignatureVersion: 2 }],
    ['a message that is no text', { Message: {} }],
  ])('of %s is refused before anything is fetched', async (_, fields) => {
    const { post, kept } = door();
    expect(await post(snsMessage('Notification', leaf.key, fields))).toMatchObject({ status: 403 });
    expect(sns.hosts).toEqual([]);
    expect(kept.parked).toEqual([]);
  });

  it('is refused where no topics are named, whoever sent it', async () => {
    const { post } = door({ topics: undefined });
    expect(await post(snsMessage('SubscriptionConfirmation', leaf.key))).toMatchObject({ status: 403 });
    expect(sns.hosts).toEqual([]);
  });

  it.each(['Message', 'MessageId', 'Subject', 'Timestamp', 'Signature'])(
    'that was changed after it was signed is refused: %s',
    async (name) => {
      const { post, kept } = door();
      const message = snsMessage('Notification', leaf.key, { Message: messageOf(record()) });
      const changed =
        name === 'Timestamp' ? new Date(Date.now() - 1000).toISOString() : messageOf(record('b'));
      expect(await post({ ...message, [name]: changed })).toMatchObject({ status: 403 });
      expect(kept.published).toEqual([]);
    },
  );

  it('signed as a notification does not pass for a subscription', async () => {
    const { post } = door();
    const { Signature } = snsMessage('Notification', leaf.key);
    const message = snsMessage('SubscriptionConfirmation', leaf.key);
    expect(await post({ ...message, Signature })).toMatchObject({ status: 403 });
    expect(sns.asked).toEqual([`${SNS_HOST}${CERTIFICATE}`]);
  });

  it('is asked for again where SNS can not be had now: 503', async () => {
    const kinds = [
      () => sns.answers.set(CERTIFICATE, { status: 500 }),
      () => sns.answers.set(CERTIFICATE, { body: 'x'.repeat(100_000) }),
      () => sns.answers.set(CERTIFICATE, { hangs: true }),
    ];
    const { post } = door({ snsGet: sns.get({ ca: authority.root, timeoutMs: 500 }) });
    const message = snsMessage('Notification', leaf.key, { Message: messageOf(record()) });
    for (const kind of kinds) {
      kind();
      expect(await post(message)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    }
    sns.answers.set(CERTIFICATE, { body: chained(leaf) });
    expect(await post(message)).toMatchObject({ status: 200 });
  });

  it('is taken again once a clock is right that was ahead', async () => {
    let now = Date.now() + 40 * 86_400_000;
    const { post } = door({ now: () => now });
    const posted = async (): Promise<number> =>
      (await post(snsMessage('Notification', leaf.key, { Timestamp: new Date(now).toISOString() }))).status;
    expect(await posted()).toBe(403);
    now = Date.now();
    expect(await posted()).toBe(200);
  });

  it('is not confirmed over a redirect, nor by a server that is not SNS', async () => {
    const message = snsMessage('SubscriptionConfirmation', leaf.key);
    sns.answers.set('/', { status: 302, headers: { location: 'https://evil.example/' } });
    expect(await door().post(message)).toMatchObject({ status: 403 });
    expect(new Set(sns.hosts)).toEqual(new Set([SNS_HOST]));
    // Its TLS certificate is of an authority that is not trusted.
    const { post } = door({ snsGet: sns.get({ ca: authority.read('stranger.pem') }) });
    sns.asked.length = 0;
    expect(await post(message)).toMatchObject({ status: 503 });
    expect(sns.asked).toEqual([]);
  });

  it('of made-up certificates is asked for so many times a minute at most', async () => {
    const { post } = door();
    const statuses = new Set<number>();
    for (let index = 0; index < 40; index++) {
      const SigningCertURL = `https://${SNS_HOST}/SimpleNotificationService-${index}.pem`;
      statuses.add((await post(snsMessage('Notification', leaf.key, { SigningCertURL }))).status);
    }
    expect(sns.asked).toHaveLength(30);
    expect(statuses).toEqual(new Set([403, 503]));
  });
});

it("the issuers of SNS's certificates lead to a root that Node trusts", () => {
  const roots = tls.rootCertificates.map((pem) => new X509Certificate(pem));
  for (const pem of AMAZON_INTERMEDIATES) {
    const issuer = new X509Certificate(pem);
    expect(issuer.ca).toBe(true);
    expect(roots.some((root) => issuer.checkIssued(root) && issuer.verify(root.publicKey))).toBe(true);
  }
});
