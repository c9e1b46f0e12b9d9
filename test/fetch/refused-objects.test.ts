import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { runCli } from '../../harness/cli.ts';
import { stage } from './fixture.ts';

interface Refused {
  /** Of the answer to a HEAD, which has no body; undefined where S3 answers as always. */
  readonly head?: number;
  readonly get: readonly [status: number, code: string, message: string];
}

const MODIFIED = 'Tue, 14 Nov 2023 22:13:20 GMT';
const DENIED = 'User: x is not authorized to perform: s3:GetObject on resource: y';

/** Keys that S3 does not give, as it says so itself; no server here has archives or keys. */
const REFUSED: Readonly<Record<string, Refused>> = {
  'DC1/archived': { get: [403, 'InvalidObjectState', 'The operation is not valid for the storage class'] },
  'DC1/customer': {
    head: 400,
    get: [400, 'InvalidRequest', 'The object was stored using a form of Server Side Encryption.'],
  },
  'DC1/denied': { head: 403, get: [403, 'AccessDenied', DENIED] },
  'DC1/kms': {
    head: 403,
    get: [403, 'AccessDenied', 'is not authorized to perform: kms:Decrypt on resource: z'],
  },
  'DC1/off': { get: [400, 'KMS.DisabledException', 'the key is disabled'] },
};
const GIVEN = ['DC1/a', 'DC1/finished.parse', 'DC2/b', 'DC2/finished.parse'];

/**
 * S3 with these keys below `edge1/`, each with its own name as content; `listed` says whether it may be listed. What is asked for an
 * object is added to `asked`.
 */
async function startServer(listed = true, asked: string[] = []): Promise<string> {
  const keys = [...Object.keys(REFUSED), ...GIVEN].map((key) => `edge1/${key}`).toSorted();
  const server = createServer((request, response) => {
    request.resume();
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    const key = decodeURIComponent(pathname.replace(/^\/kept\/?/, ''));
    const refused = REFUSED[key.replace(/^edge1\//, '')];
    if (searchParams.has('list-type')) {
      if (!listed) return refuse(response, [403, 'AccessDenied', 'Access Denied']);
      const prefix = searchParams.get('prefix') ?? '';
      return xml(response, 200, listing(keys.filter((each) => each.startsWith(prefix))));
    }
    asked.push(`${request.method} ${key.replace(/^edge1\//, '')}`);
    if (refused?.head !== undefined && request.method === 'HEAD')
      return void response.writeHead(refused.head).end();
    if (refused !== undefined && request.method === 'GET') return refuse(response, refused.get);
    // The keys are for less than the whole store.
    if (!key.startsWith('edge1/')) return refuse(response, [403, 'AccessDenied', DENIED]);
    if (!keys.includes(key)) return refuse(response, [404, 'NoSuchKey', 'The specified key does not exist.']);
    response.writeHead(200, {
      'content-length': Buffer.byteLength(key),
      'content-type': 'application/octet-stream',
      etag: '"0123456789abcdef0123456789abcdef"',
      'last-modified': MODIFIED,
      'x-amz-request-id': 'tx1',
    });
    return void response.end(request.method === 'HEAD' ? undefined : key);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function listing(keys: readonly string[]): string {
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified><ETag>"x"</ETag><Size>${key.length}</Size></Contents>`,
  );
  return `<ListBucketResult><Name>kept</Name><KeyCount>${keys.length}</KeyCount><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

function refuse(response: ServerResponse, [status, code, message]: Refused['get']): void {
  xml(
    response,
    status,
    `<Error><Code>${code}</Code><Message>${message}</Message><RequestId>tx1</RequestId></Error>`,
  );
}

function xml(response: ServerResponse, status: number, body: string): void {
  const headers = { 'content-type': 'application/xml', 'x-amz-request-id': 'tx1' };
  response.writeHead(status, headers).end(`<?xml version="1.0" encoding="UTF-8"?>${body}`);
}

const run = async (endpoint: string, back: string, ...args: string[]) => {
  const access = ['--s3-endpoint', endpoint, '--s3-region', 'us-east-1', '--json', ...args];
  const env = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
  return await runCli(['fetch', 's3://kept/edge1', back, ...access], { env });
};

it('objects that the bucket does not give are problems of their own, at once, and the others come', async () => {
  const { back, at } = stage();
  // Without an end to the tries a refusal that is tried again would never be told.
  const { exitCode, stdout } = await run(await startServer(), back, '--retry-for', '1h');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ files: 3, problemCount: Object.keys(REFUSED).length });
  const { problems } = JSON.parse(stdout) as { problems: { path: string; code: string; message: string }[] };
  const told = Object.fromEntries(problems.map(({ path, code, message }) => [path, `${code} ${message}`]));
  expect(told).toMatchObject({
    'DC1/archived': expect.stringMatching(/^FILE_UNREADABLE .*archive.*[Rr]estore/),
    'DC1/customer': expect.stringMatching(/^FILE_UNREADABLE .*SSE-C/),
    'DC1/denied': expect.stringMatching(/^FILE_UNREADABLE .*s3:GetObject/),
    'DC1/kms': expect.stringMatching(/^FILE_UNREADABLE .*kms:Decrypt/),
    'DC1/off': expect.stringMatching(/^FILE_UNREADABLE .*kms:Decrypt/),
  });
  for (const path of ['DC1/a', 'DC2/b', 'DC2/finished.parse']) expect(existsSync(at(path))).toBe(true);
  expect(existsSync(at('DC1/finished.parse'))).toBe(false);
});

it('a small object takes one request, and one that is here already takes none of its bytes', async () => {
  const { back } = stage();
  const asked: string[] = [];
  const endpoint = await startServer(true, asked);
  const ofGiven = (): string[] =>
    asked.filter((each) => GIVEN.some((key) => each.endsWith(` ${key}`))).toSorted();
  const brought = GIVEN.filter((key) => key !== 'DC1/finished.parse');
  await run(endpoint, back);
  expect(ofGiven()).toEqual(brought.map((key) => `GET ${key}`));
  asked.length = 0;
  await run(endpoint, back);
  expect(ofGiven()).toEqual(brought.map((key) => `HEAD ${key}`));
});

it('a bucket that may not be listed ends it', async () => {
  const { back } = stage();
  const { exitCode, stdout } = await run(await startServer(false), back, '--retry-for', '1ms');
  expect({ exitCode, summary: JSON.parse(stdout) }).toMatchObject({
    exitCode: 3,
    summary: { error: { code: 'STORE_REFUSED' } },
  });
});
