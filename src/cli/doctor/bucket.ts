import type { BackupTarget } from '../../backup/target/target.ts';
import { bucketSettings } from '../../config/bucket-settings.ts';
import { showAddress, type S3StoreAddress } from '../../config/target-address.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { accessOf } from '../../s3/access-of.ts';
import { openStore } from '../locations/table.ts';
import type { StoreSettings } from '../locations/store-use.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { checkClock } from './clock.ts';
import { silentLog } from './silent-log.ts';

/** For all that is asked of a bucket, in ms. */
const ANSWER_MS = 60_000;
/** Of no object. */
const NO_KEY = 'isync-doctor';

/**
 * Asks a bucket for all that isync needs there. It puts one object of 32 bytes among its own, and removes it; where it is `readOnly`,
 * it lists and reads alone.
 */
export async function* bucketChecks(
  at: S3StoreAddress,
  settings: StoreSettings,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): AsyncGenerator<Check> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const { endpoint } = bucketSettings(at, settings);
  try {
    const use = { readOnly: true, signal, cut: signal, log: silentLog };
    const store = await openStore(at, settings, use);
    await store[Symbol.asyncDispose]();
    yield ok('bucket', `${showAddress(at)} lets us in`);
  } catch (error) {
    yield failure('bucket', error);
    return;
  }
  if (endpoint?.protocol === 'http:' && !isLoopback(endpoint.hostname))
    yield warning('encryption', 'all content crosses the network in clear text', 'Use an https:// endpoint.');
  await using target = await openOwn(at, settings);
  if (readOnly) yield await checkReadable(target, signal);
  else yield* permissionChecks(target, settings.s3Tag ?? at.access?.tags ?? {}, signal);
  yield checkClock(target.clockAheadMs, 'the object store');
}

/** What a store writes for itself is below this name, and may be removed there. */
async function openOwn(at: S3StoreAddress, options: StoreSettings): Promise<BackupTarget> {
  const settings = bucketSettings(at, options);
  const { openS3Target } = await import('../../backup/target/s3/s3-target.ts');
  const { bucket, prefix } = at;
  const { sse, sseKmsKeyId } = settings;
  const kept = { bucket, prefix, storageClass: undefined, sse, sseKmsKeyId, lock: undefined };
  return openS3Target(kept, OWN_FOLDER, [{ bucket, ...accessOf(settings) }]);
}

/** Of a key that is not there it makes a difference whether one may read, too. */
async function checkReadable(target: BackupTarget, signal: AbortSignal): Promise<Check> {
  const name = 'permissions';
  try {
    await target.read(NO_KEY, { signal });
    return ok(name, 'list and read objects');
  } catch (error) {
    return failure(name, error);
  }
}

async function* permissionChecks(
  target: BackupTarget,
  tags: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  const { checkPermissions } = await import('../../backup/check/permissions.ts');
  const { THINGS } = await import('../../backup/check/check-lines.ts');
  const name = 'permissions';
  const results = await checkPermissions(target, { tags, signal });
  for (const { thing, actions, error, outcome } of results) {
    // What is wrong with the clock is told below.
    if (outcome !== 'failed' || thing === 'clock' || error?.code === 'CLOCK_SKEW') continue;
    const needs = actions.length === 0 ? undefined : `It needs ${actions.join(', ')}.`;
    const said = failure(name, error);
    yield { ...said, message: `${THINGS[thing]}: ${said.message}`, hint: said.hint ?? needs };
  }
  const may = results.filter(({ outcome, thing }) => outcome === 'ok' && thing !== 'clock');
  if (may.length > 0) yield ok(name, may.map(({ thing }) => THINGS[thing]).join(', '));
}
