import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { runCli, startCli } from './cli.ts';
import { temporaryFolder } from './data-tree.ts';
import type { CliProcess } from './process.ts';
import type { S3Server } from './s3-server.ts';

/** What a web server has under a path. */
export interface WebFile {
  readonly body: string | Uint8Array;
  /** Default: 2020-01-01. */
  readonly modified?: Date;
  readonly type?: string;
}

/** An old web server; paths are those of requests, decoded. */
export interface WebOrigin {
  readonly url: string;
  readonly files: Map<string, WebFile>;
  /** `GET /path` of each request so far. */
  readonly asked: string[];
  /** Answers in the place of the files where it is set. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
}

/** A bucket that is to be filled, with an old web server and an old bucket. */
export interface MirrorBulkStage extends AsyncDisposable {
  readonly folder: string;
  readonly bucket: string;
  readonly oldBucket: string;
  readonly web: WebOrigin;
  readonly at: (name: string) => string;
  /** Writes the config: bucket with the prefix `pre/`, and `settings`. */
  readonly configure: (settings: Readonly<Record<string, unknown>>) => Promise<void>;
  /** `isync mirror ARGS --config …`, with `--json`. */
  readonly run: (...args: string[]) => Promise<Ran>;
  /** The same, which finds `input` on its stdin. */
  readonly runOn: (input: string, ...args: string[]) => Promise<Ran>;
  readonly start: (...args: string[]) => CliProcess;
  readonly put: (
    bucket: string,
    key: string,
    body: string,
    more?: Partial<PutObjectCommandInput>,
  ) => Promise<void>;
  /** Of the bucket that is filled, without its prefix; undefined where there is none. */
  readonly textOf: (key: string) => Promise<string | undefined>;
  readonly headOf: (key: string) => Promise<HeadObjectCommandOutput>;
}

export interface Ran {
  readonly exitCode: number | null;
  readonly stderr: string;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly summary: any;
}

export async function startMirrorBulkStage(server: S3Server): Promise<MirrorBulkStage> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('bulk'));
  const { web, close } = await startWebOrigin();
  stack.defer(close);
  const [bucket, oldBucket] = [await server.makeBucket(), await server.makeBucket()];
  const at = (name: string): string => join(folder, name);
  const argsOf = (args: readonly string[]): string[] => [
    'mirror',
    ...args,
    '--config',
    at('mirror.yaml'),
    '--json',
  ];
  const run = async (args: readonly string[], input?: string): Promise<Ran> => {
    const { exitCode, stdout, stderr } = await runCli(argsOf(args), { env: server.env, input });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    return { exitCode, stderr, summary: last === '' ? undefined : JSON.parse(last) };
  };
  const parts = stack.move();
  return {
    folder,
    bucket,
    oldBucket,
    web,
    at,
    configure: async (settings) => {
      const own = { bucket: `s3://${bucket}/pre`, s3Endpoint: server.endpoint, spool: at('spool') };
      await writeFile(at('mirror.yaml'), JSON.stringify({ ...own, ...settings }));
    },
    run: async (...args) => await run(args),
    runOn: async (input, ...args) => await run(args, input),
    start: (...args) => startCli(argsOf(args), { env: server.env }),
    put: async (Bucket, Key, Body, more = {}) =>
      void (await server.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))),
    textOf: async (key) => {
      try {
        const { Body } = await server.client.send(
          new GetObjectCommand({ Bucket: bucket, Key: `pre/${key}` }),
        );
        return await Body?.transformToString();
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
        throw error;
      }
    },
    headOf: async (key) =>
      await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: `pre/${key}` })),
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

async function startWebOrigin(): Promise<{ readonly web: WebOrigin; readonly close: () => void }> {
  const server = createServer((request, response) => {
    web.asked.push(`${request.method} ${request.url}`);
    if (web.instead === undefined) answer(web, request, response);
    else web.instead(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const web: WebOrigin = {
    url: `http://127.0.0.1:${address.port}`,
    files: new Map(),
    asked: [],
    instead: undefined,
  };
  return {
    web,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer({ files }: WebOrigin, { url = '', method }: IncomingMessage, response: ServerResponse): void {
  const file = files.get(decodeURIComponent(url));
  if (file === undefined) {
    response.writeHead(404).end('no');
    return;
  }
  const { body, modified = new Date('2020-01-01T00:00:00Z'), type = 'text/plain' } = file;
  response.writeHead(200, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'last-modified': modified.toUTCString(),
  });
  response.end(method === 'HEAD' ? undefined : body);
}
