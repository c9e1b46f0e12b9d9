import { existsSync, lstatSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { type EventBridge, startEventBridge, type Unrest } from './ceph-events.ts';
import { runCli, startCli } from './cli.ts';
import { filesBelow, temporaryFolder } from './data-tree.ts';
import type { CliProcess, Ended, ProcessOptions } from './process.ts';
import type { S3Server } from './s3-server.ts';
import { startSqsProxy, type SqsProxy } from './sqs-proxy.ts';
import { startSqsServer, type SqsServer, type TestQueue } from './sqs-server.ts';

/** A bucket whose events go to a queue, and a machine that follows them. */
export interface PullStage extends AsyncDisposable {
  /** Of the machine: its config, its state, its mapped folders. */
  readonly folder: string;
  readonly config: string;
  readonly bucket: string;
  readonly sqs: SqsServer;
  readonly queue: TestQueue;
  /** Between the machine and the queue. An empty poll through it ends after a second. */
  readonly proxy: SqsProxy;
  readonly bridge: EventBridge;
  /** With which a process reaches queue and bucket. */
  readonly env: Readonly<Record<string, string>>;
  /** A path on the machine. */
  readonly at: (path: string) => string;
  /** Writes the config: what is needed here, and `settings`. */
  readonly configure: (settings?: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly start: (args?: readonly string[], options?: ProcessOptions) => CliProcess;
  /** Runs it with `--once` to its end. */
  readonly once: (args?: readonly string[], options?: ProcessOptions) => Promise<Pulled>;
  /** `isync pull parked ARGS`. */
  readonly parked: (...args: string[]) => Promise<Ended>;
  readonly put: (key: string, content: string | Uint8Array) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
  /** Messages that the machine has told the queue are done. */
  readonly acknowledged: () => number;
  /** Everything that Ceph told is with the queue, and the queue has nothing more. */
  readonly isDrained: () => Promise<boolean>;
}

export interface Pulled extends Ended {
  /** What `--json` prints at the end. */
  readonly summary: Readonly<Record<string, number>>;
}

export interface PullStageOptions {
  readonly unrest?: Unrest;
  /** Of the queue. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly queueName?: string;
  /** What stands between the machine and the bucket's server; default: nothing. */
  readonly endpoint?: string;
  /** Default: a new one whose events go to the queue. */
  readonly bucket?: string;
}

/** Prefixes of the config unless a test has its own, and their folders. */
export const SYNC = { 'a/': 'a', 'a/deep/': 'deep', 'b/': 'b' } as const;
/** Files of the machine's own. */
const OWN = /(^|\/)\.isync\//;

export async function startPullStage(server: S3Server, options: PullStageOptions = {}): Promise<PullStage> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('pull'));
  const sqs = stack.use(await startSqsServer());
  const queue = await sqs.makeQueue(options.attributes, options.queueName);
  const proxy = stack.use(await startSqsProxy(sqs.endpoint));
  proxy.longestWaitS = 1;
  const bridge = stack.use(await startEventBridge(server, queue, options.unrest));
  const bucket = options.bucket ?? (await server.makeBucket());
  if (options.bucket === undefined) await bridge.follow(bucket);
  const config = join(folder, 'pull.yaml');
  const s3Endpoint = options.endpoint ?? server.endpoint;
  const env = { ...server.env, AWS_REGION: sqs.region, AWS_DEFAULT_REGION: sqs.region };
  const argsFor = (args: readonly string[]) => ['pull', '--config', config, '--json', ...args];
  const stage: PullStage = {
    folder,
    config,
    bucket,
    sqs,
    queue,
    proxy,
    bridge,
    env,
    at: (path) => join(folder, path),
    configure: async (settings = {}) => {
      const all = {
        queue: queue.name,
        sqsEndpoint: proxy.endpoint,
        s3Endpoint,
        minFree: '1MiB',
        sync: SYNC,
        ...settings,
      };
      await writeFile(config, JSON.stringify(all, undefined, 2));
    },
    start: (args = [], started = {}) =>
      startCli(argsFor(args), { ...started, env: { ...env, ...started.env } }),
    once: async (args = [], started = {}) =>
      pulled(await runCli(argsFor(['--once', ...args]), { ...started, env: { ...env, ...started.env } })),
    parked: async (...args) => await runCli(['pull', 'parked', ...args, '--config', config], { env }),
    put: async (Key, Body) => {
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
    },
    remove: async (Key) => {
      await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    },
    acknowledged: () => acknowledgedThrough(proxy),
    isDrained: async () => {
      await bridge.flush();
      const { ready, inFlight } = await queue.inspect();
      return ready.length + inFlight.length === 0;
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
  await stage.configure();
  const owned = stack.move();
  return stage;
}

/** Content by path below `folder`; text. */
export async function textsBelow(folder: string): Promise<Record<string, string>> {
  const paths = [...(await filesBelow(folder)).keys()].filter((path) => !OWN.test(path)).sort();
  const texts = await Promise.all(paths.map(async (path) => await readFile(join(folder, path), 'utf8')));
  return Object.fromEntries(paths.map((path, index) => [path, texts[index] ?? '']));
}

export function isFolder(path: string): boolean {
  return existsSync(path) && lstatSync(path).isDirectory();
}

/** The last line of standard output, which `--json` makes a summary. */
export function pulled(ended: Ended): Pulled {
  const line = ended.stdout.trim().split('\n').at(-1) ?? '';
  try {
    return { ...ended, summary: JSON.parse(line) as Pulled['summary'] };
  } catch (thrown) {
    const { exitCode, stdout, stderr } = ended;
    throw new Error(`no summary, exit code ${exitCode}:\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`, {
      cause: thrown,
    });
  }
}

/** '' of a process that ended well; else how it ended, and its last words. */
export function failureOf({ exitCode, stderr }: Pick<Ended, 'exitCode' | 'stderr'>): string {
  return exitCode === 0 ? '' : `exit code ${exitCode}: ${stderr.slice(-2000)}`;
}

function acknowledgedThrough({ callsOf }: SqsProxy): number {
  return callsOf('DeleteMessageBatch').reduce((sum, { answer }) => {
    const done = answer?.['Successful'];
    return sum + (Array.isArray(done) ? done.length : 0);
  }, 0);
}
