import { createServer, type IncomingMessage, type ServerResponse, request as httpRequest } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import { mirrorRule } from '../../src/config/schemas/mirror-rule.ts';
import { startServer } from '../../src/http/server.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { type OpenMirror, openMirror } from '../../src/mirror/open-mirror.ts';
import { rulesOf } from '../../src/mirror/rules-of-config.ts';
import { mirrorHandler } from '../../src/mirror/serve/mirror-handler.ts';
import type { Served } from '../../src/mirror/serve/serve-observer.ts';
import type { ServeOptions } from '../../src/mirror/serve/serve-options.ts';
import type { S3Server } from '../../harness/s3-server.ts';
import { RecordingLog } from '../recording-log.ts';

export const SERVICE = 'https://cdn.example/base';

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface OriginStage {
  readonly url: string;
  /** Request lines, in their order. */
  readonly asked: string[];
}

/** A web server that answers as `answer` does. */
export async function startOrigin(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<OriginStage> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

/** A mirror of a bucket of its own, served by Node's server. */
export async function startMirror(
  server: S3Server,
  origin: string,
  options: Partial<ServeOptions> & {
    readonly rule?: object;
    readonly except?: readonly string[];
    readonly port?: number;
  } = {},
) {
  const bucket = await server.makeBucket();
  const { endpoint, credentials } = server;
  const folder = await mkdtemp(join(tmpdir(), 'isync-serve-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const log = new RecordingLog();
  const served: Served[] = [];
  const rule = mirrorRule.parse({ origins: [origin], allowPrivate: 'true', ...options.rule });
  const mirror: OpenMirror = await openMirror(
    {
      access: { bucket, endpoint, credentials },
      prefix: 'pre/',
      rules: rulesOf({ rules: [rule], externalEndpoint: undefined }),
      except: options.except ?? [],
      serviceEndpoint: SERVICE,
      spool: { folder, maxBytes: 2 ** 30 },
    },
    { log },
  );
  let loops = 0;
  const handler = mirrorHandler({
    ...mirror,
    onMiss: 'stream',
    onHit: 'stream',
    serviceEndpoint: SERVICE,
    fallback: false,
    token: undefined,
    notReady: async () => undefined,
    observer: { served: (each) => served.push(each), loopSuspected: () => (loops += 1) },
    log,
    ...options,
  });
  const http = await startServer({
    listen: { host: '127.0.0.1', port: options.port ?? 0 },
    tls: undefined,
    limits: {
      requestMs: 30_000,
      bodyBytes: 0,
      stallMs: 30_000,
      keepAliveMs: 5_000,
      endMs: 10_000,
      unadmitted: { total: 4096, perAddress: 4096 },
    },
    handler,
    log,
    warnings: new ThrottledLog(log),
  });
  onTestFinished(async () => {
    await http.end();
    await mirror.fills.end(AbortSignal.abort());
    await mirror[Symbol.asyncDispose]();
  });
  return {
    mirror,
    handler,
    log,
    served,
    bucket,
    /** Of the spool. */
    folder,
    port: http.port,
    loops: () => loops,
    put: async (key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: `pre/${key}`, Body, ...more })),
    ask: async (path: string, asked?: Asked) => await ask(http.port, path, asked),
  };
}

/** Sends a request whose path stays as it is. */
export async function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {} }: Asked = {},
): Promise<Told> {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const body = await buffer(response);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
