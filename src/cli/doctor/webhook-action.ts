import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { BucketPool } from '../../events/action/bucket-pool.ts';
import { checkApart as checkBucketsApart } from '../../events/action/copy/servers.ts';
import { checkedBucket } from '../../events/pull/check.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { checkListable } from '../../s3/objects.ts';
import { checkApart } from '../apart-from-folders.ts';
import type { LastingWork } from '../lasting-command.ts';
import { checkedFolders } from '../pull/check.ts';
import { checkHasAction, copySides, sourceAccess } from '../webhook/open-action.ts';
import { type Check, failure, ok, passing } from './check.ts';
import { checkMayPut } from './may-write.ts';
import { ofFinding } from './of-finding.ts';
import { silentLog } from './silent-log.ts';

/** For all that is asked of one bucket, in ms. */
const ANSWER_MS = 30_000;

type Given = Pick<LastingWork<WebhookConfig>, 'config' | 'configFile' | 'signal' | 'cut'>;

/** What is done about events, as far as it can be tried without one. */
export async function* actionChecks(given: Given): AsyncGenerator<Check> {
  const { config } = given;
  const { script, to, forward } = config;
  try {
    checkHasAction(config);
  } catch (error) {
    yield failure('action', error);
    return;
  }
  if (script !== undefined) yield await checkScript(script);
  else if (to !== undefined) yield* copyChecks(given);
  else if (forward !== undefined) yield await checkForward(given, forward);
  else yield* folderChecks(given);
}

async function checkScript(file: string): Promise<Check> {
  const name = 'script';
  const { checkScript: check } = await import('../../events/action/script/check-script.ts');
  try {
    check(file);
    return ok(name, `${file} can be run`);
  } catch (error) {
    return failure(name, error);
  }
}

async function* copyChecks(given: Given): AsyncGenerator<Check> {
  const { config, cut, signal } = given;
  const name = 'target';
  try {
    const sides = copySides(config);
    checkBucketsApart(sides);
    using pool = new BucketPool(sides.target.access, { cut });
    const request = { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) };
    const { bucket, prefix } = sides.target;
    yield await pool.use(bucket, undefined, async (opened) => {
      await checkListable(opened, prefix, request);
      return await checkMayPut(opened, prefix, name, request);
    });
  } catch (error) {
    yield failure(name, error);
  }
  yield* sourceChecks(given, ['']);
}

async function* folderChecks(given: Given): AsyncGenerator<Check> {
  const { config, configFile } = given;
  try {
    await checkApart(config, configFile);
  } catch (error) {
    yield failure('folders', error);
    return;
  }
  for await (const finding of checkedFolders(config.sync, config.minFree)) yield ofFinding(finding);
  yield* sourceChecks(
    given,
    config.sync.map(({ prefix }) => prefix),
  );
}

/** The buckets that tell, where they are named: any may, else. */
async function* sourceChecks({ config, cut }: Given, prefixes: readonly string[]): AsyncGenerator<Check> {
  using pool = new BucketPool(sourceAccess(config), { cut });
  for (const bucket of config.buckets)
    for await (const finding of checkedBucket(bucket, { pool, prefixes, requests: {} }))
      yield ofFinding(finding);
}

async function checkForward({ config }: Given, url: string): Promise<Check> {
  const name = 'forward';
  const { forwardEndpoint, targetRegion: region, targetProfile: profile } = config;
  const aws = { endpoint: forwardEndpoint?.href, region, profile };
  try {
    const queue = /^sqs:(.*)$/i.exec(url)?.[1];
    if (queue !== undefined) return await checkSqs(queue, aws, name);
    const { openForwardTarget } = await import('../../events/action/forward/open-forward-target.ts');
    await using target = await openForwardTarget(url, { aws, log: silentLog });
    return ok(name, `${target.where} can be reached`);
  } catch (error) {
    return failure(name, error);
  }
}

/** Whoever may send need not be allowed to look. */
async function checkSqs(
  text: string,
  aws: {
    readonly endpoint: string | undefined;
    readonly region: string | undefined;
    readonly profile: string | undefined;
  },
  name: string,
): Promise<Check> {
  const [{ Queue }, { parseQueue }] = await Promise.all([
    import('../../events/sqs/queue.ts'),
    import('../../config/queue-address.ts'),
  ]);
  using queue = new Queue({ ...aws, queue: parseQueue(text), log: silentLog }, 1);
  try {
    await queue.open({ signal: AbortSignal.timeout(ANSWER_MS) });
    return ok(name, `${queue.where} is there`);
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'STORE_REFUSED') return passing(name, error);
    throw error;
  }
}
