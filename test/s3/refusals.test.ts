import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isNoSuchKey } from '../../src/s3/errors.ts';
import { lookAtObject } from '../../src/s3/look.ts';
import { refusalOf, regionIn } from '../../src/s3/refusals.ts';
import { Bucket } from '../../src/s3/requests.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Default: those that S3 gives its errors. */
  readonly headers?: Readonly<Record<string, string>>;
}

const XML = { 'content-type': 'application/xml' };
const OWN = { ...XML, 'x-amz-request-id': 'tx1' };
const PAGE = { 'content-type': 'text/html' };

/** What a look at a key rejects with where a server gives this answer. */
async function rejection({ status, body, headers = OWN }: Answer): Promise<unknown> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
  using bucket = new Bucket({ bucket: 'b', endpoint, credentials });
  return await lookAtObject(bucket, 'k').then(
    () => undefined,
    (error: unknown) => error,
  );
}

function xml(code: string, message = 'words', more = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`;
}

describe('what the answer to a GET says of the object', () => {
  it.each<[string, Answer, ReturnType<typeof refusalOf>]>([
    ['NoSuchKey', { status: 404, body: xml('NoSuchKey') }, 'no such key'],
    [
      'a delete marker',
      { status: 404, body: xml('NoSuchKey'), headers: { ...OWN, 'x-amz-delete-marker': 'true' } },
      'no such key',
    ],
    [
      'NoSuchKey of Google',
      { status: 404, body: xml('NoSuchKey'), headers: { ...XML, 'x-guploader-uploadid': 'x' } },
      'no such key',
    ],
    [
      'NoSuchKey of a server that tells no id in its head',
      { status: 404, body: xml('NoSuchKey', 'words', '<Resource>/b/k</Resource>'), headers: XML },
      'no such key',
    ],
    ['NoSuchKey in a page', { status: 404, body: xml('NoSuchKey'), headers: PAGE }, undefined],
    [
      'NoSuchKey in a page, though it has an id',
      { status: 404, body: xml('NoSuchKey'), headers: { ...OWN, ...PAGE } },
      undefined,
    ],
    ['NoSuchKey of nobody', { status: 404, body: xml('NoSuchKey'), headers: XML }, undefined],
    ['AccessDenied in a page', { status: 403, body: xml('AccessDenied'), headers: PAGE }, undefined],
    ['a bare 404', { status: 404, body: '' }, undefined],
    ['a page with 404', { status: 404, body: '<html><br></html>' }, undefined],
    ['a page that speaks of NoSuchKey', { status: 404, body: '<html><p>NoSuchKey</p></html>' }, undefined],
    ['another status', { status: 403, body: xml('NoSuchKey') }, undefined],
    ['NoSuchBucket', { status: 404, body: xml('NoSuchBucket') }, undefined],
    ['NoSuchVersion', { status: 404, body: xml('NoSuchVersion') }, undefined],
    ['NoSuchUpload', { status: 404, body: xml('NoSuchUpload') }, undefined],
    ['AccessDenied', { status: 403, body: xml('AccessDenied', 'Access Denied') }, 'denied'],
    ['a bare 403', { status: 403, body: '' }, undefined],
    ['InvalidObjectState', { status: 403, body: xml('InvalidObjectState') }, 'archived'],
    ['a disabled key', { status: 400, body: xml('KMS.DisabledException') }, 'no encryption key'],
    ['a wrong signature', { status: 403, body: xml('SignatureDoesNotMatch') }, undefined],
    ['MethodNotAllowed', { status: 405, body: xml('MethodNotAllowed') }, undefined],
  ])('%s', async (_, answer, expected) => {
    const error = await rejection(answer);
    expect(error).toMatchObject({ name: 'IsyncError' });
    expect(refusalOf(error)).toBe(expected);
    expect(isNoSuchKey(error)).toBe(expected === 'no such key');
  });
});

it('NoSuchKey in a page is told as the answer of something else', async () => {
  const error = await rejection({ status: 404, body: xml('NoSuchKey'), headers: PAGE });
  expect(error).toMatchObject({ code: 'UNREACHABLE', retryable: true });
});

it('an answer without what each object has is that of something else', async () => {
  const page = { status: 200, body: '<html></html>' };
  expect(await rejection(page)).toMatchObject({ code: 'UNREACHABLE', retryable: true });
  expect(await rejection({ ...page, headers: { etag: '"x"' } })).toMatchObject({ code: 'UNREACHABLE' });
});

describe('the region of a bucket', () => {
  const headers = { 'x-amz-bucket-region': 'cn-north-1' };
  it.each<[string, Answer, string | undefined]>([
    ['is in the head', { status: 301, body: xml('PermanentRedirect'), headers }, 'cn-north-1'],
    ['is in the head alone', { status: 301, body: '', headers }, 'cn-north-1'],
    [
      'is in the body',
      { status: 400, body: xml('AuthorizationHeaderMalformed', 'w', '<Region>us-gov-west-1</Region>') },
      'us-gov-west-1',
    ],
    [
      'is no host of somebody else',
      { status: 301, body: '', headers: { 'x-amz-bucket-region': 'evil.example/' } },
      undefined,
    ],
    ['does not matter to another refusal', { status: 403, body: xml('AccessDenied'), headers }, undefined],
  ])('%s', async (_, answer, expected) => {
    expect(regionIn(await rejection(answer))).toBe(expected);
  });
});
