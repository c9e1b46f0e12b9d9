import { createCipheriv } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { startCli } from '../../harness/cli.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { BEFORE } from '../competitors.ts';
import { inCaseFolder } from '../contest.ts';
import { KIB, MIB } from '../data.ts';
import { asManyAs, MOST_AFTER } from '../goals.ts';
import { findNginx, startProxy } from '../nginx.ts';
import { cpuOf } from '../process.ts';
import { startBucket, type BenchBucket } from '../s3-server.ts';
import { inTurns, sampleOf } from '../sample.ts';
import { hasWrk, load, type Load } from '../wrk.ts';

const NGINX = 'nginx, proxy_pass';
const DIRECT = 'the S3 server itself';
const SECONDS = 8;
const KEY = 'img/a';
/** Nothing listens there, and nothing is asked of it: the bucket has all. */
const NO_ORIGIN = 'http://192.0.2.1';

/** One object that is in the bucket already, asked for again and again. */
interface Warm {
  readonly name: string;
  readonly what: string;
  readonly bytes: number;
  readonly connections: number;
  readonly unit: '/s' | 'MiB/s';
  readonly rate: (load: Load) => number;
  readonly factor: number;
}

const SMALL = { connections: 32, unit: '/s', rate: ({ requests }: Load) => requests, factor: 0.5 } as const;

export const MIRROR_WARM_CASES: readonly BenchCase[] = [
  warm({ ...SMALL, name: 'mirror-warm-4k', what: '4 KiB', bytes: 4 * KIB }),
  warm({ ...SMALL, name: 'mirror-warm-64k', what: '64 KiB', bytes: 64 * KIB }),
  warm({
    name: 'mirror-warm-50m',
    what: '50 MiB',
    bytes: 50 * MIB,
    connections: 4,
    unit: 'MiB/s',
    rate: ({ mib }) => mib,
    factor: 0.75,
  }),
];

/** What answers for the bucket. */
interface Front extends AsyncDisposable {
  readonly url: string;
  cpu(): number;
}

function warm(of: Warm): BenchCase {
  const about = `${of.what} from a bucket by the mirror, beside nginx before the same bucket`;
  return { name: of.name, about, run: async (bench) => await run(bench, of) };
}

async function run(bench: Bench, of: Warm): Promise<void> {
  const nginx = await findNginx(bench);
  if (!(await hasWrk(bench))) throw new Error('there is no wrk');
  await inCaseFolder(bench.disk, of.name, async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const bytes = await put(bucket, of.bytes);
    await using fronts = new AsyncDisposableStack();
    const all: Record<string, Front> = { isync: fronts.use(await startMirror(bucket)) };
    if (bench.before !== undefined) all[BEFORE] = fronts.use(await startMirror(bucket, bench.before));
    if (nginx !== undefined) all[NGINX] = fronts.use(await startNginx(nginx, folder, bucket));
    all[DIRECT] = fronts.use(direct(bucket));
    for (const { url } of Object.values(all)) await check(url, bytes);
    await compare(bench, bucket, of, all);
  });
}

async function compare(
  bench: Bench,
  bucket: BenchBucket,
  of: Warm,
  fronts: Readonly<Record<string, Front>>,
): Promise<void> {
  const costs = new Map<string, { readonly front: number; readonly server: number }[]>();
  const measures = Object.entries(fronts).map(([name, front]) => {
    const costsOfIt: { readonly front: number; readonly server: number }[] = [];
    costs.set(name, costsOfIt);
    const measure = async (): Promise<number> => {
      let [own, server] = [NaN, NaN];
      const told = await load(front.url, of.connections, SECONDS, () => {
        [own, server] = [front.cpu(), bucket.cpu()];
      });
      // In ms for a MiB, or for a request.
      const units = of.rate(told) * SECONDS;
      const cost = {
        front: ((front.cpu() - own) * 1000) / units,
        server: ((bucket.cpu() - server) * 1000) / units,
      };
      costsOfIt.push(cost);
      const figure = of.rate(told).toFixed(0);
      bench.say(
        `  ${name}: ${figure} ${of.unit}, CPU ${cost.front.toFixed(2)} + ${cost.server.toFixed(2)} ms`,
      );
      return of.rate(told);
    };
    return [name, measure] as const;
  });
  const { isync, ...others } = await inTurns<string>(bench.runs, Object.fromEntries(measures));
  if (isync === undefined) return;
  const cost = (name: string, of: 'front' | 'server'): string =>
    sampleOf((costs.get(name) ?? []).map((each) => each[of])).median.toFixed(2);
  const notes = Object.keys(fronts).map(
    (name) => `${name} ${cost(name, 'front')} + ${cost(name, 'server')} ms`,
  );
  bench.report({
    case: of.name,
    measure: `one object of ${of.what}, ${of.connections} connections of wrk`,
    unit: of.unit,
    isync,
    others,
    goals: [
      ...asManyAs(of.factor, NGINX, isync, others[NGINX]),
      ...asManyAs(1 / MOST_AFTER, BEFORE, isync, others[BEFORE]),
    ],
    note: `CPU of it + S3 server for a ${of.unit === '/s' ? 'request' : 'MiB'}: ${notes.join(', ')}`,
  });
}

/** Anybody may read it: nginx signs nothing. */
async function put({ client, name }: BenchBucket, size: number): Promise<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
  const bytes = cipher.update(Buffer.alloc(size));
  await client.send(new PutObjectCommand({ Bucket: name, Key: KEY, Body: bytes, ACL: 'public-read' }));
  return bytes;
}

/** At its defaults. Its access log is read and dropped. */
async function startMirror(bucket: BenchBucket, main?: string): Promise<Front> {
  const args = ['mirror', '--bucket', bucket.name, '--s3-endpoint', bucket.endpoint];
  const cli = startCli([...args, '--external-endpoint', NO_ORIGIN, '--listen', '127.0.0.1:0', '--json'], {
    env: bucket.env,
    main,
  });
  try {
    const url = await cli.until('it to listen', () => /"url":"([^"]+)"/.exec(cli.stdout)?.[1]);
    return {
      url: `${url}/${KEY}`,
      cpu: () => cpuOf(cli.pid),
      [Symbol.asyncDispose]: async () => await cli[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await cli[Symbol.asyncDispose]();
    throw thrown;
  }
}

async function startNginx(nginx: string, folder: string, bucket: BenchBucket): Promise<Front> {
  const started = await startProxy(nginx, folder, { upstream: bucket.endpoint, path: `/${bucket.name}/` });
  return {
    url: `http://127.0.0.1:${started.port}/${KEY}`,
    cpu: () => started.cpu(),
    [Symbol.asyncDispose]: async () => await started[Symbol.asyncDispose](),
  };
}

function direct(bucket: BenchBucket): Front {
  return {
    url: `${bucket.endpoint.replace(/\/$/, '')}/${bucket.name}/${KEY}`,
    cpu: () => 0,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function check(url: string, bytes: Buffer): Promise<void> {
  const answer = await fetch(url);
  const got = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 200 || !got.equals(bytes))
    throw new Error(`${url} was answered with ${answer.status} and ${got.length} bytes, or other ones`);
}
