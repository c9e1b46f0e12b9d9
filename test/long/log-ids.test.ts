import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { runCli, startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startSqsProxy } from '../../harness/sqs-proxy.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

const put = (key: string, bucket = 'photos'): string =>
  cephRecord({ event: 'ObjectCreated:Put', bucket, key });
const JSON_LOG = ['--log-format', 'json', '--log-level', 'debug'];

/** What S3's own answers have. */
const BY_S3 = { 'x-amz-request-id': 'tx1', 'last-modified': 'Fri, 27 Nov 2026 12:00:00 GMT' };
const XML = { ...BY_S3, 'content-type': 'application/xml' };
const DENIED = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';

type Line = Readonly<Record<string, unknown>>;

/** The lines of the log, of which each is JSON. */
function linesOf({ stderr }: { readonly stderr: string }): Line[] {
  return stderr
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
}

/** Texts of the lines that `text` fits, and which of `fields` each of them lacks. */
function lacking(lines: readonly Line[], text: RegExp, fields: readonly string[]): Record<string, string[]> {
  const fitting = lines.filter(({ msg }) => typeof msg === 'string' && text.test(msg));
  if (fitting.length === 0) return { [`no line like ${text}`]: [] };
  return Object.fromEntries(
    fitting
      .map((line): [string, string[]] => [JSON.stringify(line), fields.filter((name) => !(name in line))])
      .filter(([, missing]) => missing.length > 0),
  );
}

const OF_REQUEST = ['message'];
const OF_MESSAGE = ['message', 'attempt'];
const OF_RECORD = ['message', 'attempt', 'bucket', 'key'];

describe.concurrent('each line about a record says of which message it is', () => {
  it('isync webhook: request, parked, output of a script, not done, dead, done', async () => {
    await using stage = await startWebhookStage();
    await writeFile(stage.at('token'), 'a-token-of-32-characters-or-more', { mode: 0o600 });
    const script = await stage.script(
      `echo out; echo err >&2
       case $2 in
         later) test -e '${stage.at('tried')}' || { touch '${stage.at('tried')}'; exit 75; } ;;
         bad) exit 1 ;;
         long) i=0; while test $i -lt 3000; do echo $i; i=$((i+1)); done ;;
       esac`,
    );
    await stage.configure({ tokenFile: stage.at('token'), buckets: ['photos'], attempts: 1, script });
    await using webhook = await stage.start(JSON_LOG);
    const headers = { authorization: 'Bearer a-token-of-32-characters-or-more' };
    const post = async (body: string): Promise<number> => (await webhook.post(body, { headers })).status;
    expect((await webhook.post(put('k'))).status).toBe(401);
    expect(await post('no JSON')).toBe(400);
    expect(await post('{"is":"no event"}')).toBe(200);
    expect(await post(put('k', 'another'))).toBe(200);
    expect(await post(JSON.stringify({ Event: 's3:TestEvent', Bucket: 'photos' }))).toBe(200);
    for (const key of ['good', 'later', 'bad', 'long']) expect(await post(put(key))).toBe(200);
    await webhook.process.until('all to be done or dead', async () => {
      const { waiting, inHand, dead } = await stage.counts();
      return waiting === 0 && inHand === 0 && dead === 1;
    });
    const lines = linesOf(await webhook.process.stop('SIGTERM'));
    for (const [text, fields] of [
      [/^refused: /, OF_REQUEST],
      [/^answered with 400/, OF_REQUEST],
      [/^parked what nobody can work on/, OF_REQUEST],
      [/^taken$/, OF_REQUEST],
      [/^script$/, OF_RECORD],
      [/^script: it printed more/, OF_RECORD],
      [/^not done: /, OF_RECORD],
      [/^dead: /, OF_RECORD],
      [/^done$/, OF_RECORD],
    ] as const)
      expect(lacking(lines, text, fields)).toEqual({});
    const all = lines.filter((line) => 'key' in line && line['bucket'] === 'photos');
    expect(all.filter((line) => !('message' in line))).toEqual([]);
  });

  it('isync webhook: a script that can not be run', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ script: await stage.script('exit 0') });
    await using webhook = await stage.start(JSON_LOG);
    // The first line of it names what is not there.
    await writeFile(stage.at('script'), '#!/nowhere/sh\n', { mode: 0o755 });
    expect((await webhook.post(put('k'))).status).toBe(200);
    await webhook.process.until('that to be told', () =>
      webhook.process.stderr.includes('nothing is done until'),
    );
    const lines = linesOf(await webhook.process.stop('SIGTERM'));
    expect(lacking(lines, /nothing is done until/, OF_RECORD)).toEqual({});
  });

  it('isync pull: ignored, below no prefix, tried again, parked, not done, a side that is away, written', async () => {
    await using stack = new AsyncDisposableStack();
    const { path: folder } = stack.use(await temporaryFolder('log-ids'));
    const sqs = stack.use(await startSqsServer());
    const queue = await sqs.makeQueue();
    const proxy = stack.use(await startSqsProxy(sqs.endpoint));
    proxy.longestWaitS = 1;
    const server = createServer((request, response) => {
      if (request.url?.includes('denied') === true) response.writeHead(403, XML).end(DENIED);
      else if (request.url?.includes('good') !== true) request.socket.destroy();
      else response.writeHead(200, { ...BY_S3, etag: '"x-1"', 'content-length': '2' }).end('ok');
      request.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(() => void server.close());
    const s3Endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const config = `${folder}/pull.yaml`;
    const settings = { queue: queue.name, sqsEndpoint: proxy.endpoint, s3Endpoint, minFree: '1MiB' };
    await writeFile(
      config,
      JSON.stringify({ ...settings, sync: { 'a/': 'a' }, unmatched: 'discard', attempts: 2 }),
    );
    await queue.send([
      JSON.stringify({ Event: 's3:TestEvent', Bucket: 'photos' }),
      '{"is":"no event"}',
      put('b/nobody'),
      put('a/../evil'),
      put('a/good'),
      put('a/denied'),
      ...Array.from({ length: 40 }, (_, index) => put(`a/f${index}`)),
    ]);
    const env = {
      AWS_REGION: sqs.region,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    };
    await using pull = startCli(['pull', '--config', config, ...JSON_LOG], { env });
    await pull.until('the bucket to be away', () => pull.stderr.includes('nothing is tried'));
    await pull.until('one to be given up', () =>
      linesOf(pull).some(({ msg, key }) => key === 'a/denied' && String(msg).startsWith('parked')),
    );
    await pull.until('one to be written', () => pull.stderr.includes('"msg":"written"'));
    const lines = linesOf(await pull.stop('SIGTERM'));
    for (const [text, fields] of [
      [/^ignored$/, OF_MESSAGE],
      [/^below no prefix$/, OF_RECORD],
      [/^parked: /, OF_MESSAGE],
      [/^parked: .*permission/, OF_RECORD],
      [/^tried again: /, OF_RECORD],
      [/^not done: /, OF_RECORD],
      [/^is away: /, OF_RECORD],
      [/^written$/, OF_RECORD],
    ] as const)
      expect(lacking(lines, text, fields)).toEqual({});
    expect((await runCli(['pull', 'parked', 'list', '--config', config], { env })).stdout).toContain('evil');
  });
});
