import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import { mirrorRule } from '../../src/config/schemas/mirror-rule.ts';
import { type OpenMirror, openMirror } from '../../src/mirror/open-mirror.ts';
import { rulesOf } from '../../src/mirror/rules-of-config.ts';
import { mirrorHandler } from '../../src/mirror/serve/mirror-handler.ts';
import type { Served } from '../../src/mirror/serve/serve-observer.ts';
import type { ServeOptions } from '../../src/mirror/serve/serve-options.ts';
import type { S3Server } from '../../harness/s3-server.ts';
import { RecordingLog } from '../recording-log.ts';
import { type Asked, type CallerKind, NODE_SERVER } from './callers.ts';

export const SERVICE = 'https://cdn.example/base';

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

export interface StageOptions extends Partial<ServeOptions> {
  readonly rule?: object;
  readonly except?: readonly string[];
  readonly caller?: CallerKind;
  /** Where it listens, where its caller does. Default: any. */
  readonly port?: number;
}

/** A mirror of a bucket of its own, called by Node's server unless told. */
export async function startMirror(server: S3Server, origin: string, options: StageOptions = {}) {
  const { caller: kind = NODE_SERVER } = options;
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
    mostBytes: kind.mostBytes,
    notReady: async () => undefined,
    observer: { served: (each) => served.push(each), loopSuspected: () => (loops += 1) },
    log,
    ...options,
  });
  const settled = async (): Promise<void> => await mirror.fills.settled();
  const caller = await kind.start(handler, log, settled, options.port);
  onTestFinished(async () => {
    await caller.end();
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
    port: caller.port,
    loops: () => loops,
    put: async (key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: `pre/${key}`, Body, ...more })),
    ask: async (path: string, asked?: Asked) => await caller.ask(path, asked),
  };
}
