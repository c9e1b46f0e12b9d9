import { expect, it } from 'vitest';
import { bytesOnly, md5Of, never } from '../../../harness/hostile-origin.ts';
import { Random } from '../../../harness/random.ts';
import { type Origin, OriginError } from '../../../src/mirror/origin/origin.ts';
import { ask, bytesOf, originOf } from './origins.ts';

const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20261126);
const ANSWERS = 1_000;

const BODY = 'the very content';
const HEADERS = [
  `Content-MD5: ${md5Of(BODY)}`,
  'Connection: close',
  'Connection: keep-alive',
  'Content-Encoding: gzip',
  'Location: /g',
  'Location: http://[::ffff:169.254.169.254]/',
  'Expires: 0',
  'Last-Modified: yesterday',
  'X-Amz-Meta-: x',
  '__proto__: x',
  'Retry-After: -1',
];
const NOISE = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  ':',
  '0',
  '9',
  '-',
  '\u00ff',
  'HTTP/1.1 ',
  '100',
  '200',
];

function answerOf(random: Random): string {
  const status = random.pick([200, 200, 200, 200, 206, 302, 404, 503, 100]);
  const isChunked = random.chance(0.3);
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${BODY.length}`;
  const lines = [...random.some(HEADERS, random.int(0, 3)), ...(random.chance(0.8) ? [framing] : [])];
  const headers = lines.map((line) => `${line}\r\n`);
  const body = isChunked ? `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n` : BODY;
  let text = `HTTP/1.1 ${status} X\r\n${headers.join('')}\r\n${body}`;
  for (let times = random.int(0, 3); times > 0; times--) {
    const at = random.below(text.length);
    text = text.slice(0, at) + random.pick(NOISE) + text.slice(at + random.below(4));
  }
  return random.chance(0.2) ? text.slice(0, random.below(text.length)) : text;
}

/** How asking ends; rejects with what is no OriginError. */
async function endOf(origin: Origin): Promise<'whole' | 'passed' | 'absent' | 'failed'> {
  try {
    const answer = await ask(origin);
    if (answer.kind === 'absent') return 'absent';
    const size = (await bytesOf(answer)).length;
    if (size !== (answer.size ?? size)) throw new Error(`${size} bytes instead of ${answer.size}`);
    return answer.notKept === undefined ? 'whole' : 'passed';
  } catch (error) {
    if (error instanceof OriginError) return 'failed';
    throw error;
  }
}

it(`whatever comes is an object or an error that says what to answer (seed ${SEED})`, async () => {
  const random = new Random(SEED);
  const { server, origin } = await originOf(never, { keeps: () => true });
  const counts = { whole: 0, passed: 0, absent: 0, failed: 0 };
  for (let count = 0; count < ANSWERS; count++) {
    server.reply = bytesOnly(answerOf(random));
    counts[await endOf(origin)]++;
  }
  // Each end was met often enough to say something.
  expect(Object.entries(counts).filter(([, times]) => times < 20)).toEqual([]);
});
