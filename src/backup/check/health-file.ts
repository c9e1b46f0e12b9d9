import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { StoreHealth } from './store-health.ts';

/** Name in the folder of the job. */
const HEALTH_FILE = 'health.json';
/** A health that is older says nothing of now, in ms: three probes of the daemon. */
const MAX_AGE_MS = 15 * 60_000;
/** Longest file in bytes that is read: some stores with some servers each. */
const MOST_BYTES = 1024 * 1024;

const percentiles = z.object({ p50: z.number(), p95: z.number() }).optional();
const measured = z.object({
  samples: z.number(),
  lost: z.number(),
  connectMs: percentiles,
  firstByteMs: percentiles,
});
const fault = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
const health = z.object({
  store: z.string(),
  atMs: z.number(),
  endpoints: z.array(
    z.object({
      endpoint: z.string(),
      isUp: z.boolean(),
      fault: fault.optional(),
      measured: measured.optional(),
    }),
  ),
});

/**
 * Keeps for other processes of the job how its stores are: a run asks nobody which server is the fastest. What can't be written is not
 * kept, and never throws: it is found again.
 */
export async function keepHealth(stateDir: string, stores: readonly StoreHealth[]): Promise<void> {
  const path = join(stateDir, HEALTH_FILE);
  const draft = `${path}.${process.pid}`;
  try {
    await writeFile(draft, JSON.stringify(stores), { mode: 0o600 });
    await rename(draft, path);
  } catch {
    // Stores are used in the order of the config then.
  }
}

/** What was kept not long ago, by name of the store. Empty where there is none; never throws. */
export async function keptHealth(
  stateDir: string,
  nowMs = Date.now(),
): Promise<ReadonlyMap<string, StoreHealth>> {
  try {
    const bytes = await readFile(join(stateDir, HEALTH_FILE));
    if (bytes.length > MOST_BYTES) return new Map();
    const stores = z.array(health).parse(JSON.parse(bytes.toString()));
    const recent = stores.filter(({ atMs }) => Math.abs(nowMs - atMs) <= MAX_AGE_MS);
    return new Map(recent.map((one) => [one.store, healthFrom(one)]));
  } catch {
    return new Map();
  }
}

function healthFrom({ endpoints, ...store }: z.output<typeof health>): StoreHealth {
  return {
    ...store,
    endpoints: endpoints.map(({ endpoint, isUp, fault, measured }) => ({
      endpoint,
      isUp,
      fault,
      measured: measured && { ...measured, connectMs: measured.connectMs, firstByteMs: measured.firstByteMs },
    })),
  };
}
