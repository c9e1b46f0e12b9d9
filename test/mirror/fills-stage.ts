import { createHash } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { createFills } from '../../src/mirror/fill/origin-fills.ts';
import type { FillEnd, Fills, FillStart, MirrorKey } from '../../src/mirror/fill/fills.ts';
import { NO_OBSERVER, type FillsObserver } from '../../src/mirror/fill/fills-observer.ts';
import type { FillsLimits } from '../../src/mirror/fill/fills-options.ts';
import type { KeptBucket } from '../../src/mirror/kept/kept.ts';
import type { MirrorRule } from '../../src/mirror/rule.ts';
import type { Spool } from '../../src/mirror/spool/spool.ts';
import { RecordingLog } from '../recording-log.ts';
import { FakeOrigin } from './fake-origin.ts';
import { ruleOf } from './origin/origins.ts';
import { newSpool } from './spooled.ts';

export const RULE: MirrorRule = ruleOf();

/** A bucket in memory, which keeps what is whole. */
export class MemoryBucket implements KeptBucket {
  readonly objects = new Map<string, Buffer>();
  readonly origins = new Map<string, string>();
  heads = 0;
  /** Waits, or rejects as a bucket does. */
  putting: ((key: string, signal: AbortSignal) => Promise<void>) | undefined;

  async head(key: string) {
    this.heads += 1;
    const content = this.objects.get(key);
    return (
      content && {
        size: content.length,
        modifiedMs: 0,
        etag: createHash('md5').update(content).digest('hex'),
        metadata: {},
        headers: {},
      }
    );
  }

  async get(): Promise<undefined> {
    return undefined;
  }

  async put(...[key, body, head, { signal, replaces }]: Parameters<KeptBucket['put']>) {
    await this.putting?.(key, signal);
    const pieces: Uint8Array[] = [];
    for await (const piece of body.read({}, signal)) pieces.push(piece);
    if (this.objects.has(key) && (await this.head(key))?.etag !== replaces?.etag) return 'present' as const;
    this.objects.set(key, Buffer.concat(pieces));
    this.origins.set(key, head.origin);
    return 'kept' as const;
  }

  async removeStaleUploads(): Promise<number> {
    return 0;
  }
}

export interface FillsStage {
  readonly fills: Fills;
  readonly origin: FakeOrigin;
  readonly bucket: MemoryBucket;
  readonly spool: Spool;
  readonly log: RecordingLog;
}

export async function newFills({
  rule = {},
  origins = [new FakeOrigin()],
  limits,
  spoolBytes,
  observer = {},
  isExcepted = () => false,
}: {
  readonly rule?: Partial<MirrorRule>;
  readonly origins?: readonly FakeOrigin[];
  readonly limits?: FillsLimits;
  readonly spoolBytes?: number;
  readonly observer?: Partial<FillsObserver>;
  readonly isExcepted?: (path: string) => boolean;
} = {}): Promise<FillsStage> {
  const spool = await newSpool(spoolBytes);
  const bucket = new MemoryBucket();
  const log = new RecordingLog();
  const fills = createFills({
    rules: [{ rule: { ...RULE, ...rule }, origins }],
    isExcepted,
    bucket,
    spool,
    limits,
    log,
    observer: { ...NO_OBSERVER, ...observer },
  });
  onTestFinished(async () => await fills.end(AbortSignal.abort()));
  return { fills, origin: origins[0]!, bucket, spool, log };
}

export function keyOf(path: string, query?: string): MirrorKey {
  return { key: query === undefined ? path : `${path}?${query}`, path, query };
}

export const NEVER = new AbortController().signal;

/** What a client gets that reads all, and how its fill starts and ends. */
export async function fetched(
  fills: Fills,
  path: string,
): Promise<{ start: FillStart; body: Buffer | Error | undefined; end: FillEnd }> {
  const fill = fills.fill(keyOf(path));
  const start = await fill.started;
  const body =
    start.kind === 'found'
      ? await all(fill.read({}, NEVER)).catch((error: unknown) => error as Error)
      : undefined;
  return { start, body, end: await fill.ended };
}

export async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
