import { readText } from '../../config/read-text.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { JobTarget } from '../job.ts';
import { openTarget } from '../target/open-target.ts';
import type { BackupTarget } from '../target/target.ts';
import { type Measured, measureEndpoint } from './measure-endpoint.ts';

/** Answers in time to what a store is asked first, in ms. */
const ANSWER_MS = 15_000;
/** Of samples: one that loses more is used only where no other is left. */
const MOST_LOST = 0.5;
/** Any object will do, and this one is there once the job has run. */
const ASKED_KEY = 'job.json';

export interface StoreHealth {
  /** As BackupTarget.name. */
  readonly store: string;
  readonly atMs: number;
  /** One at least; in the order of the config. Of a folder: itself. */
  readonly endpoints: readonly EndpointHealth[];
}

export interface EndpointHealth {
  /** URL of the server; of a folder, its path. */
  readonly endpoint: string;
  /** Runs may use it: it answers to our credentials, and loses less than half. */
  readonly isUp: boolean;
  /** What it answers to our credentials, where that is an error. */
  readonly fault: HealthFault | undefined;
  /** Undefined of a folder. */
  readonly measured: Measured | undefined;
}

export interface HealthFault {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface HealthOptions {
  readonly samples: number;
  readonly signal: AbortSignal;
  /** Of one sample, in ms. For tests. */
  readonly sampleMs?: number | undefined;
  /** Of the answer to our credentials, in ms. For tests. Default {@link ANSWER_MS}. */
  readonly answerMs?: number | undefined;
}

/** How the servers of a store are. Rejects with the reason of the signal only: what is wrong with a store is a part of the answer. */
export async function healthOf(target: JobTarget, job: string, options: HealthOptions): Promise<StoreHealth> {
  const alone = target.kind === 'folder' ? [target] : apart(target);
  const endpoints = await Promise.all(alone.map(async (one) => await endpointHealth(one, job, options)));
  return { store: storeName(target), atMs: Date.now(), endpoints };
}

/** Whether any of its servers can be used. */
export function isStoreUp({ endpoints }: StoreHealth): boolean {
  return endpoints.some(({ isUp }) => isUp);
}

/**
 * The same target with its servers in the order in which to use them: the fastest healthy one first, and behind the healthy ones the
 * others, as the config has them: what was down a minute ago may be up again. Without a health it is as the config has it.
 */
export function fastestFirst(target: JobTarget, health: StoreHealth | undefined): JobTarget {
  if (target.kind === 'folder' || health === undefined) return target;
  const found = new Map(health.endpoints.map((one) => [one.endpoint, one]));
  const rank = (endpoint: string): number => {
    const one = found.get(endpoint);
    return one?.isUp === true ? (one.measured?.firstByteMs?.p50 ?? Infinity) : Infinity;
  };
  const endpoints = target.endpoints.toSorted((one, other) => {
    const [mine, its] = [rank(one), rank(other)];
    return mine === its ? 0 : mine - its;
  });
  return { ...target, endpoints };
}

type S3JobTarget = Extract<JobTarget, { readonly kind: 's3' }>;

/** The store once for each of its servers. */
function apart(target: S3JobTarget): S3JobTarget[] {
  if (target.endpoints.length === 0) return [target];
  return target.endpoints.map((endpoint) => ({ ...target, endpoints: [endpoint] }));
}

async function endpointHealth(
  target: JobTarget,
  job: string,
  options: HealthOptions,
): Promise<EndpointHealth> {
  if (target.kind === 'folder') {
    const fault = await faultOf(target, job, options);
    return { endpoint: target.path, isUp: fault === undefined, fault, measured: undefined };
  }
  const endpoint = target.endpoints[0] ?? awsEndpoint(target.region);
  const { samples, signal, sampleMs } = options;
  const [fault, measured] = await Promise.all([
    faultOf(target, job, options),
    measureEndpoint(endpoint, { samples, signal, sampleMs, ca: caOf(target) }),
  ]);
  const isUp = fault === undefined && measured.lost < Math.max(1, measured.samples * MOST_LOST);
  return { endpoint, isUp, fault, measured };
}

async function faultOf(
  target: JobTarget,
  job: string,
  { signal, answerMs = ANSWER_MS }: HealthOptions,
): Promise<HealthFault | undefined> {
  const ending = new AbortController();
  const late = new IsyncError('UNREACHABLE', `it has not answered within ${answerMs / 1000} s`);
  const timer = setTimeout(() => ending.abort(late), answerMs);
  const abort = (): void => ending.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    await using store = openTarget(target, job);
    await ask(store, target.kind, ending.signal);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const { code, message, hint } = toIsyncError(error, 'INTERNAL');
    return { code, message, hint };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** A folder that is not mounted has no objects, and only a listing tells that apart. */
async function ask(store: BackupTarget, kind: JobTarget['kind'], signal: AbortSignal): Promise<void> {
  if (kind === 's3') await store.head(ASKED_KEY, { signal });
  else for await (const _ of store.list({ signal })) return;
}

/** https://docs.aws.amazon.com/general/latest/gr/s3.html */
function awsEndpoint(region: string | undefined): string {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const name = region ?? AWS_REGION ?? AWS_DEFAULT_REGION ?? 'us-east-1';
  return `https://s3.${name}.amazonaws.com${name.startsWith('cn-') ? '.cn' : ''}`;
}

/** Where the file can't be read, our credentials are not asked either, and the fault of that says why. */
function caOf({ ca }: S3JobTarget): string | undefined {
  try {
    return ca === undefined ? undefined : readText(ca, 'the file of "ca"');
  } catch {
    return undefined;
  }
}

/** As BackupTarget.name, without opening it. */
export function storeName(target: JobTarget): string {
  if (target.kind === 'folder') return target.path;
  return target.prefix === '' ? `s3://${target.bucket}` : `s3://${target.bucket}/${target.prefix}`;
}
