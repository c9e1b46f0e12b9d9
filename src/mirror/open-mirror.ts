import type { Log } from '../model/log.ts';
import type { S3Access } from '../s3/access.ts';
import { ObjectAsker } from '../s3/ask-object.ts';
import type { ObjectSettings } from '../s3/object-attributes.ts';
import { Bucket } from '../s3/requests.ts';
import type { FillsObserver } from './fill/fills-observer.ts';
import type { FillsLimits, RuleOrigins } from './fill/fills-options.ts';
import type { Fills } from './fill/fills.ts';
import { createFills } from './fill/origin-fills.ts';
import type { KeptBucket } from './kept/kept.ts';
import type { FilledBy } from './kept/origin-metadata.ts';
import { openKeptBucket } from './kept/s3-kept-bucket.ts';
import { HttpOrigin } from './origin/http/http-origin.ts';
import type { Origin } from './origin/origin.ts';
import { S3Origin } from './origin/s3/s3-origin.ts';
import type { MirrorRule, OriginAddress } from './rule.ts';
import { MirrorRules } from './rules.ts';
import { openSpool } from './spool/open-spool.ts';
import { viaId } from './via.ts';

/** Objects of an s3:// origin that are read at a time, at least. */
const LEAST_READS = 16;
/** What is asked for to learn whether the bucket can be used. No object needs to be there. */
const PROBE = '.isync/probe';

export interface MirrorSettings {
  /** How the bucket that is filled is reached. */
  readonly access: S3Access;
  /** '' or what all keys begin with, "/" at its end. */
  readonly prefix: string;
  /** What each object is given. */
  readonly settings?: ObjectSettings | undefined;
  readonly rules: readonly MirrorRule[];
  /** Globs of keys that are never filled. */
  readonly except: readonly string[];
  readonly serviceEndpoint: string | undefined;
  readonly spool: { readonly folder: string; readonly maxBytes: number };
  readonly limits?: FillsLimits | undefined;
  /** Why objects are put. Default `request`. */
  readonly filledBy?: FilledBy | undefined;
  /** Objects of the bucket that are streamed at a time. */
  readonly reads?: number | undefined;
}

/** The parts of a mirror, whoever uses them: its server, its handler for Lambda, its commands. */
export interface OpenMirror extends AsyncDisposable {
  readonly rules: MirrorRules;
  /** The rules with their origins; of an `s3://` address an {@link S3Origin}. */
  readonly routes: readonly RuleOrigins[];
  readonly bucket: Bucket;
  readonly prefix: string;
  /** The same bucket, for what is asked for. */
  readonly objects: ObjectAsker;
  readonly kept: KeptBucket;
  readonly fills: Fills;
  readonly viaId: string;
  /** Rejects with IsyncError where the bucket can't be used. */
  probe(signal: AbortSignal): Promise<void>;
}

/** Opens no connection yet. End the fills before it is disposed of. @throws IsyncError where the spool's folder can't be used */
export async function openMirror(
  settings: MirrorSettings,
  { log, observer }: { readonly log: Log; readonly observer?: FillsObserver | undefined },
): Promise<OpenMirror> {
  const { access, prefix, serviceEndpoint = '' } = settings;
  await using opened = new AsyncDisposableStack();
  const bucket = opened.use(new Bucket(access));
  const objects = opened.use(new ObjectAsker(access, settings.reads));
  const id = viaId(`${bucket.where}/${prefix}`, serviceEndpoint);
  const routes = settings.rules.map((rule) => ({
    rule,
    origins: rule.origins.map((address) => openOrigin(address, rule, id, opened)),
  }));
  const spool = opened.use(await openSpool(settings.spool));
  const rules = new MirrorRules(settings.rules, settings.except);
  const isAws = access.endpoint === undefined;
  const kept = openKeptBucket({
    bucket,
    prefix,
    isAws,
    settings: settings.settings,
    filledBy: settings.filledBy,
    log,
  });
  const fills = createFills({
    rules: routes,
    isExcepted: (path) => rules.ruleOf(path) === undefined,
    bucket: kept,
    spool,
    limits: settings.limits,
    log,
    observer,
  });
  const parts = opened.move();
  return {
    rules,
    routes,
    bucket,
    prefix,
    objects,
    kept,
    fills,
    viaId: id,
    probe: async (signal) => {
      const { body } = await objects.ask('GET', `${prefix}${PROBE}`, { range: 'bytes=0-0' }, signal);
      if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
    },
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

function openOrigin(
  address: OriginAddress,
  rule: MirrorRule,
  id: string,
  opened: AsyncDisposableStack,
): Origin {
  if (address.kind === 'http') return opened.use(new HttpOrigin(address.base, rule, { viaId: id }));
  const { bucket, access } = address;
  const reads = Math.max(LEAST_READS, rule.concurrency);
  return new S3Origin(opened.use(new Bucket({ bucket, ...access }, { reads })), address, rule);
}
