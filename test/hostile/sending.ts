/**
 * `node sending.ts URL`: puts a few files over and over, looks, lists and seals, through the real link
 * but with hardly a pause between its tries. Ends on SIGTERM with a line of JSON; with 1 where anything but an
 * IsyncError came up, or an INTERNAL one.
 */
import { once } from 'node:events';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { Target } from '../../src/sender/target.ts';
import { createWsTarget } from '../../src/sender/ws/ws-target.ts';
import { noise, SourceFolder, telemetry } from '../sender/source-folder.ts';

/** Files put at a time. */
const PUTS = 32;

const [url = ''] = process.argv.slice(2);
const outcomes: Record<string, number> = {};
const faults: string[] = [];
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

using folder = new SourceFolder();
// Below and above what travels whole, and above what is resumed.
const files = [0, 1, 1000, 60_000, 100_000, 300_000, 5_000_000].flatMap((size) => [
  folder.write(`DC1/${size}`, noise(size, size)),
  folder.write(`DC1/${size}.log`, telemetry(size, size)),
]);

function openTarget(): Target {
  return createWsTarget({
    url,
    device: 'edge1',
    mode: 'write',
    digest: 'xxh64',
    compress: true,
    retry: { giveUpAfterMs: 2000, firstDelayMs: 1, longestDelayMs: 3 },
  });
}

function count(outcome: string): void {
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}

/** Whether the target may be used further. */
async function tried(what: string, attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    count(what);
    return true;
  } catch (error) {
    if (!(error instanceof IsyncError)) faults.push(`${what}: ${String(error)}`);
    // The hostile receiver says INTERNAL too: its own come with its own texts, which are no stack of ours.
    else if (error.code === 'INTERNAL' && error.cause !== undefined) faults.push(`${what}: ${error.stack}`);
    count(error instanceof IsyncError ? error.code : 'unknown');
    return !(error instanceof IsyncError && FINAL.has(error.code));
  }
}

const FINAL: ReadonlySet<string> = new Set([
  'AUTH_REFUSED',
  'VERSION_UNSUPPORTED',
  'TLS_FAILED',
  'FENCED',
  'UNREACHABLE',
]);

async function listAll(target: Target): Promise<void> {
  for await (const { size } of target.list('')) if (size < 0) throw new Error('a size below 0');
}

async function workOn(target: Target, worker: number): Promise<void> {
  for (let n = worker; !stop.signal.aborted; n++) {
    const file = files[n % files.length]!;
    const { path } = file.entry;
    const attempt =
      n % 50 === 7
        ? target.look([path, path])
        : n % 50 === 8
          ? listAll(target)
          : n % 50 === 9
            ? target.seal(parseRelPath('DC1'), undefined)
            : target.put(file);
    if (!(await tried('done', attempt))) return;
  }
}

const stopped = once(stop.signal, 'abort');
while (!stop.signal.aborted) {
  await using target = openTarget();
  const workers = Array.from({ length: PUTS }, (_, worker) => workOn(target, worker));
  await Promise.race([Promise.all(workers), stopped]);
}
console.log(JSON.stringify({ outcomes, faults: faults.slice(0, 10) }));
process.exitCode = faults.length > 0 ? 1 : 0;
