import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { checkListable, listObjects } from '../../src/s3/objects.ts';
import { Bucket } from '../../src/s3/requests.ts';

const PAGE = '<!DOCTYPE html>\n<html><body><p>Welcome<br></body></html>';
const CHUNK = Buffer.alloc(256 * 1024, ' ');
const CREDENTIALS = { accessKeyId: 'x', secretAccessKey: 'x' };

/** `host:port` of a plain HTTP server that gives everybody the same answer. */
async function serve(status: number, body = PAGE): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  });
  return await listening(server);
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a look at the bucket behind `endpoint` is told. */
async function refusalOf(endpoint: string): Promise<unknown> {
  using bucket = new Bucket({ bucket: 'b', endpoint, credentials: CREDENTIALS });
  return await checkListable(bucket, '').catch((error: unknown) => error);
}

it.each([200, 302, 403, 404, 405])(
  'tells that something else answers, with a page and %i',
  async (status) => {
    const endpoint = `http://${await serve(status)}`;
    expect(await refusalOf(endpoint)).toMatchObject({
      code: 'UNREACHABLE',
      message: `something that is no object store answers (s3://b at ${endpoint}: HTTP status ${status})`,
      hint: expect.stringContaining('Check the endpoint'),
    });
  },
);

it('takes a page that is well-formed XML for no empty bucket', async () => {
  const endpoint = `http://${await serve(200, '<html><body><p>Welcome</p></body></html>')}`;
  expect(await refusalOf(endpoint)).toMatchObject({ code: 'UNREACHABLE' });
  using bucket = new Bucket({ bucket: 'b', endpoint, credentials: CREDENTIALS });
  await expect(listObjects(bucket, '').next()).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

it.each([200, 400])('keeps no endless answer in memory, with %i', async (status) => {
  let sent = 0;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/xml' }).write('<a>');
    const more = (): void => {
      while (!response.destroyed && response.write(CHUNK)) sent += CHUNK.length;
    };
    response.on('drain', more);
    more();
  });
  using bucket = new Bucket({
    bucket: 'b',
    endpoint: `http://${await listening(server)}`,
    credentials: CREDENTIALS,
  });
  await expect(checkListable(bucket, '')).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(sent).toBeLessThan(200 * 1024 * 1024);
});

it('waits for a gateway whose server is down', async () => {
  const endpoint = `http://${await serve(503)}`;
  expect(await refusalOf(endpoint)).toMatchObject({
    code: 'BUSY',
    message: expect.not.stringMatching(/aws-sdk|\n/),
  });
});

it('tells of an https:// endpoint that it speaks no TLS', async () => {
  const endpoint = `https://${await serve(200)}`;
  expect(await refusalOf(endpoint)).toMatchObject({
    code: 'TLS_FAILED',
    message: `the server speaks no TLS there (s3://b at ${endpoint}: wrong version number)`,
    hint: expect.stringContaining('http://'),
  });
});

it('puts what a server says into one line', async () => {
  const body = '<Error><Code>AccessDenied</Code><Message>go\n  away\r\n</Message></Error>';
  const endpoint = `http://${await serve(403, body)}`;
  expect(await refusalOf(endpoint)).toMatchObject({
    code: 'STORE_REFUSED',
    message: expect.stringMatching(/^.*go away.*$/),
  });
});
