// Posts hostile bodies to a webhook, many at a time: node http-fuzz.ts SEED COUNT. Prints what came of them as JSON; ends with an
// error at the first thing that must not be. A process of its own, so that its memory tells something.
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { Random } from '../../harness/random.ts';
import { planHeapGrowth } from '../../src/cli/heap-growth.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import { asking, Kept } from './http-support.ts';
import { hostileBodies } from './hostile-bodies.ts';

/** Requests at a time, as from as many connections. */
const AT_ONCE = 64;
/** One body in so many is as long as a message may be, or is a bomb. */
const LARGE_IN = 1_000;
const SNS_HOST = 'sns.eu-west-1.amazonaws.com';
const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:photos';
const STATUSES = [200, 400, 403, 413, 415, 503];

/** Handshakes, which are changed as all bodies are. */
const HANDSHAKES = ['SubscriptionConfirmation', 'Notification', 'UnsubscribeConfirmation'].flatMap((Type) => [
  JSON.stringify({
    Type,
    MessageId: 'x',
    TopicArn: TOPIC,
    Message: '{"Records":[]}',
    Timestamp: new Date().toISOString(),
    Token: 'x',
    SubscribeURL: `https://${SNS_HOST}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=x`,
    SignatureVersion: '2',
    Signature: 'eA==',
    SigningCertURL: `https://${SNS_HOST}/SimpleNotificationService-1.pem`,
  }),
  JSON.stringify({
    Type,
    TopicArn: 'mcs1|b|s3:ObjectCreated:*',
    Timestamp: '2026',
    Token: 'x',
    SignatureVersion: 1,
  }),
]);

planHeapGrowth('receiver');
const [seed = '1', count = '1000'] = process.argv.slice(2);
const random = new Random(Number(seed));
const bodies = hostileBodies(random, [...HANDSHAKES, ...HANDSHAKES]);
const statuses: Record<string, number> = {};
const told = { published: 0, parked: 0, asked: 0 };
const bombs = [' ', '[', '"'].map((text) => repeated('', text, 64 * 1024 * 1024));
const dense = ['{"1":0,', '[0,', '{},', '0,', '"a",'].map((text) =>
  repeated('{"Records":[', text, 8_000_000),
);

const kept = new Kept();
kept.publish = async (messages) => {
  told.published += messages.length;
  const { body } = random.pick(messages);
  if (parseMessage(body, { keyEncoding: 'auto' }).some(({ outcome }) => outcome !== 'event'))
    throw new Error(`put into the queue: ${body.slice(0, 1000)}`);
  await new Promise(setImmediate);
};
kept.parking.park = async () => void told.parked++;
const ask = asking(
  kept.options({
    topics: new Set([TOPIC]),
    access: { token: 'x' },
    snsGet: async ({ hostname }) => {
      told.asked++;
      if (hostname !== SNS_HOST) throw new Error(`asked ${hostname}`);
      return { status: 404, body: Buffer.alloc(0), issuers: [] };
    },
  }),
);

let next = 0;
await Promise.all(Array.from({ length: AT_ONCE }, send));
// Rss is in KiB, CPU in µs.
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    statuses,
    ...told,
    cpuS: (user + system) / 1e6,
    maxRssMiB: process.resourceUsage().maxRSS / 1024,
  }),
);

async function send(): Promise<void> {
  while (next++ < Number(count)) {
    const { body, encoding } = next % LARGE_IN === 0 ? large() : packed(bodies.hostile());
    const { status, text } = await ask({
      body,
      headers: {
        authorization: 'x',
        'content-encoding': encoding,
        'content-type': random.chance(0.9)
          ? 'application/json'
          : random.pick(['text/plain', 'text/xml', ';', 'é']),
        ...(random.chance(0.5) && { 'x-amz-sns-message-type': 'Notification' }),
      },
    });
    if (!STATUSES.includes(status)) throw new Error(`${status} for ${body.toString().slice(0, 1000)}`);
    if (status === 200) JSON.parse(text);
    statuses[status] = (statuses[status] ?? 0) + 1;
    // What is kept of the log would be taken for memory of the webhook.
    if (kept.log.lines.length > 1000) kept.log.lines.splice(0, 900);
  }
}

/** Packed piece by piece: what this took itself would be taken for memory of the webhook. */
function repeated(first: string, text: string, bytes: number): Buffer {
  const piece = text.repeat(100_000 / text.length);
  return Buffer.concat([
    gzipSync(first),
    ...Array<Buffer>(Math.floor(bytes / piece.length)).fill(gzipSync(piece)),
  ]);
}

function packed(body: string) {
  if (random.chance(0.95)) return { body, encoding: undefined };
  const [encoding, pack] = random.pick([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', (text: string) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ] as const);
  const bytes = pack(body);
  return { body: random.chance(0.5) ? bytes : bytes.subarray(0, random.below(bytes.length + 1)), encoding };
}

function large() {
  switch (random.below(3)) {
    case 0:
      return { body: random.pick(bombs), encoding: random.pick(['gzip', 'br', 'deflate']) };
    case 1:
      return { body: random.pick(dense), encoding: 'gzip' };
    default: {
      const body = bodies.large();
      return random.chance(0.5) ? { body, encoding: undefined } : { body: gzipSync(body), encoding: 'gzip' };
    }
  }
}
