import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { clientSettings } from '../../src/aws/client-settings.ts';
import { parseQueue } from '../../src/config/queue-address.ts';
import { openSqsSource } from '../../src/events/sqs/open-sqs-source.ts';
import { checkListable } from '../../src/s3/objects.ts';
import { Bucket } from '../../src/s3/requests.ts';
import { startSqsProxy } from '../../harness/sqs-proxy.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { RecordingLog } from '../recording-log.ts';

const ROLE = 'arn:aws:iam::123456789012:role/reader';
const KEYS = { accessKeyId: 'ours', secretAccessKey: 'secret' };

const server = await startSqsServer();
afterAll(async () => await server[Symbol.asyncDispose]());

interface Asked {
  readonly accessKey: string | undefined;
  readonly body: string;
}

/** A server that answers everything with `answer`. */
async function serve(answer: () => string): Promise<{ endpoint: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const http = createServer((request, response) => {
    const accessKey = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1];
    void text(request).then((body) => {
      asked.push({ accessKey, body });
      response.writeHead(200, { 'content-type': 'text/xml' }).end(answer());
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, asked };
}

/** The service that gives out the keys of roles: RoleKey1, RoleKey2, … */
async function serveRoles(lifetimeMs: number): Promise<Asked[]> {
  let given = 0;
  const { endpoint, asked } = await serve(
    () => `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
    <AccessKeyId>RoleKey${++given}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>${new Date(Date.now() + lifetimeMs).toISOString()}</Expiration>
    </Credentials></AssumeRoleResult></AssumeRoleResponse>`,
  );
  vi.stubEnv('AWS_ENDPOINT_URL_STS', endpoint);
  onTestFinished(() => void vi.unstubAllEnvs());
  return asked;
}

it('takes on a role with the credentials it is given, once for many requests', async () => {
  const roles = await serveRoles(3600 * 1000);
  const { name } = await server.makeQueue();
  await using proxy = await startSqsProxy(server.endpoint);
  const access = { endpoint: proxy.endpoint, region: server.region, credentials: KEYS, roleArn: ROLE };
  await using source = await openSqsSource({
    ...access,
    queue: parseQueue(name),
    waitSeconds: 1,
    log: new RecordingLog(),
  });
  await Promise.all([source.receive(), source.receive()]);
  expect(proxy.calls.length).toBeGreaterThanOrEqual(4);
  expect(proxy.calls.every(({ accessKey }) => accessKey === 'RoleKey1')).toBe(true);
  expect(roles).toEqual([
    { accessKey: 'ours', body: expect.stringContaining(`RoleArn=${encodeURIComponent(ROLE)}`) },
  ]);
});

it('takes on a role again before its keys expire', async () => {
  const roles = await serveRoles(1000);
  const { name } = await server.makeQueue();
  await using proxy = await startSqsProxy(server.endpoint);
  const access = { endpoint: proxy.endpoint, region: server.region, credentials: KEYS, roleArn: ROLE };
  await using source = await openSqsSource({
    ...access,
    queue: parseQueue(name),
    waitSeconds: 1,
    log: new RecordingLog(),
  });
  await source.receive();
  await source.receive();
  expect(roles.length).toBeGreaterThan(1);
  expect(proxy.calls.at(-1)?.accessKey).not.toBe('RoleKey1');
});

it('takes on a role with the keys of the profile that is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'isync-aws-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'credentials');
  const section = (name: string) =>
    `[${name}]\naws_access_key_id = key-of-${name}\naws_secret_access_key = secret\n`;
  writeFileSync(file, section('default') + section('edge'));
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  const roles = await serveRoles(3600 * 1000);
  const { name } = await server.makeQueue();
  await using proxy = await startSqsProxy(server.endpoint);
  const access = { endpoint: proxy.endpoint, region: server.region, profile: 'edge', roleArn: ROLE };
  await using _ = await openSqsSource({ ...access, queue: parseQueue(name), log: new RecordingLog() });
  expect(roles).toMatchObject([{ accessKey: 'key-of-edge' }]);
  expect(proxy.calls.at(-1)?.accessKey).toBe('RoleKey1');
});

it('takes on a role for a bucket, too', async () => {
  await serveRoles(3600 * 1000);
  const store = await serve(
    () => '<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount></ListBucketResult>',
  );
  using bucket = new Bucket({ bucket: 'b', endpoint: store.endpoint, credentials: KEYS, roleArn: ROLE });
  await checkListable(bucket, '');
  expect(store.asked).toMatchObject([{ accessKey: 'RoleKey1' }]);
});

it('takes the endpoints of AWS that are asked for', () => {
  expect(clientSettings({ fips: true, dualStack: true }, 1)).toMatchObject({
    useFipsEndpoint: true,
    useDualstackEndpoint: true,
  });
});

it.each([{ fips: true }, { dualStack: true }])('refuses %j with an endpoint of its own', (choice) => {
  expect(() => clientSettings({ endpoint: 'https://s3.example', ...choice }, 1)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});
