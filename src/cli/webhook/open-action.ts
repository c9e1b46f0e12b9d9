import { bucketSettings } from '../../config/bucket-settings.ts';
import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import type { Action } from '../../events/action/action.ts';
import type { CopyOptions, CopyRoute } from '../../events/action/copy/copy-options.ts';
import type { DownloadTarget } from '../../events/action/download/download-action.ts';
import type { ActionMetrics } from '../../events/work/action-metrics.ts';
import { work, type WorkEnd, type WorkOptions } from '../../events/work/work.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LastingWork } from '../lasting-command.ts';
import { accessOf } from '../../s3/access-of.ts';

/** What is done about events, ready to be done. */
export interface OpenedAction extends AsyncDisposable {
  work(options: Omit<WorkOptions<unknown>, 'action' | 'beside'>): Promise<WorkEnd>;
}

/** The settings that an action comes from. */
export type ActionConfig = Pick<
  WebhookConfig,
  | 'script'
  | 'timeout'
  | 'to'
  | 'forward'
  | 'forwardEndpoint'
  | 'sourceEndpoint'
  | 'sourceRegion'
  | 'sourceProfile'
  | 'targetEndpoint'
  | 'targetRegion'
  | 'targetProfile'
  | 'buckets'
  | 'delete'
  | 'concurrency'
> & {
  /** Of the source. */
  readonly roleArn?: string | undefined;
};

/** What actions need that come of an `isync pull`, too. */
type Given = Pick<LastingWork<ActionConfig>, 'config' | 'log' | 'cut'>;
type WebhookGiven = Pick<LastingWork<WebhookConfig>, 'config' | 'configFile' | 'log' | 'signal' | 'cut'>;

/**
 * Opens the one action that the config names, and loads no other.
 * @throws IsyncError CONFIG_INVALID where it names none, and what opening it throws
 */
export async function openAction(
  given: WebhookGiven,
  metrics: ActionMetrics | undefined,
): Promise<OpenedAction> {
  if (given.config.sync.length > 0) return ready(await download(given), metrics);
  const action = await openNamedAction(given, metrics);
  if (action !== undefined) return action;
  throw noAction();
}

/**
 * Told before anything is opened; `orElse` ends the hint of what to give.
 * @throws IsyncError CONFIG_INVALID where no action is named
 */
export function checkHasAction({ script, to, forward, sync }: WebhookConfig, orElse = ''): void {
  if (script === undefined && to === undefined && forward === undefined && sync.length === 0)
    throw noAction(orElse);
}

function noAction(orElse = ''): IsyncError {
  return new IsyncError('CONFIG_INVALID', 'nothing says what to do about events', {
    hint: `Give --script FILE, --to s3://BUCKET, --forward URL or --sync PREFIX=FOLDER${orElse}.`,
  });
}

/** The same for all but files; undefined where the config names none. */
export async function openNamedAction(
  given: Given,
  metrics: ActionMetrics | undefined,
): Promise<OpenedAction | undefined> {
  const { script, to, forward } = given.config;
  if (script !== undefined) return ready(await runningScript(given, script, metrics), metrics);
  if (to !== undefined) return ready(await copying(given, metrics), metrics);
  if (forward !== undefined) return ready(await forwarding(given, forward), metrics);
  return undefined;
}

function ready<Target>(action: Action<Target>, metrics: ActionMetrics | undefined): OpenedAction {
  const { name, needs } = action;
  const act = metrics === undefined ? action.act : metrics.timed(action);
  const dispose = (): PromiseLike<void> => action[Symbol.asyncDispose]();
  const measured: Action<Target> = {
    name,
    needs,
    route: (event) => action.route(event),
    act,
    [Symbol.asyncDispose]: dispose,
  };
  return {
    work: (options) => work<Target>({ ...options, action: measured }),
    [Symbol.asyncDispose]: dispose,
  };
}

async function runningScript(
  { config, log, cut }: Given,
  file: string,
  metrics: ActionMetrics | undefined,
): Promise<Action<undefined>> {
  const [{ checkScript }, { scriptAction }] = await Promise.all([
    import('../../events/action/script/check-script.ts'),
    import('../../events/action/script/script-action.ts'),
  ]);
  checkScript(file);
  const common = { file, timeoutMs: config.timeout, lookedAgain: metrics?.lookedAgain, log };
  const { sourceEndpoint, sourceRegion, sourceProfile } = config;
  // Only where somebody says how: else the event is believed.
  if ([sourceEndpoint, sourceRegion, sourceProfile].every((way) => way === undefined))
    return scriptAction(common);
  const [{ BucketPool }, { bucketSource }] = await Promise.all([
    import('../../events/action/bucket-pool.ts'),
    import('../../events/action/script/script-source.ts'),
  ]);
  const pool = new BucketPool(sourceAccess(config), { cut, concurrency: config.concurrency });
  const action = scriptAction({ ...common, source: bucketSource(pool) });
  return {
    name: action.name,
    needs: action.needs,
    route: (event) => action.route(event),
    act: action.act,
    [Symbol.asyncDispose]: async () => {
      await action[Symbol.asyncDispose]();
      pool[Symbol.dispose]();
    },
  };
}

async function forwarding({ config, log }: Given, url: string): Promise<Action<undefined>> {
  const [{ forwardAction }, { openForwardTarget }] = await Promise.all([
    import('../../events/action/forward/forward-action.ts'),
    import('../../events/action/forward/open-forward-target.ts'),
  ]);
  const { forwardEndpoint, targetRegion: region, targetProfile: profile } = config;
  const aws = { endpoint: forwardEndpoint?.href, region, profile };
  return forwardAction(await openForwardTarget(url, { aws, log }));
}

async function copying(
  { config, log, cut }: Given,
  metrics: ActionMetrics | undefined,
): Promise<Action<CopyRoute>> {
  const { openCopyAction } = await import('../../events/action/copy/open-copy-action.ts');
  return openCopyAction({
    ...copySides(config),
    removals: config.delete,
    concurrency: config.concurrency,
    lookedAgain: metrics?.lookedAgain,
    cut,
    log,
  });
}

/**
 * From where to where `--to` copies.
 * @throws IsyncError CONFIG_INVALID where it names no bucket
 */
export function copySides(config: ActionConfig): Pick<CopyOptions, 'source' | 'target'> {
  const { to, targetEndpoint, targetRegion, targetProfile, buckets } = config;
  if (to?.kind !== 's3')
    throw new IsyncError('CONFIG_INVALID', 'no bucket to copy to is named: --to s3://BUCKET');
  const settings = bucketSettings(to, {
    s3Endpoint: targetEndpoint,
    s3Region: targetRegion,
    s3Profile: targetProfile,
  });
  const { storageClass, sse, sseKmsKeyId } = settings;
  return {
    source: { access: sourceAccess(config), ...(buckets.length > 0 && { buckets }) },
    target: {
      access: accessOf(settings),
      bucket: to.bucket,
      prefix: to.prefix === '' ? '' : `${to.prefix}/`,
      settings: { storageClass, sse, sseKmsKeyId },
    },
  };
}

/** How to reach the buckets that tell. */
export function sourceAccess({ sourceEndpoint, sourceRegion, sourceProfile, roleArn }: ActionConfig) {
  return { endpoint: sourceEndpoint?.href, region: sourceRegion, profile: sourceProfile, roleArn };
}

async function download({ config, ...given }: WebhookGiven): Promise<Action<DownloadTarget>> {
  const [{ openPullParts }, { downloadAction }, { checkApart }] = await Promise.all([
    import('../pull/pull-parts.ts'),
    import('../../events/action/download/download-action.ts'),
    import('../apart-from-folders.ts'),
  ]);
  await checkApart(config, given.configFile);
  const { sourceEndpoint: s3Endpoint, sourceRegion: region, sourceProfile: profile } = config;
  const parts = await openPullParts({
    ...given,
    config: { ...config, ...OF_PULL_ONLY, s3Endpoint, region, profile },
  });
  return {
    ...downloadAction(parts.keys, parts.actions.apply),
    [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
  };
}

/** What a webhook has no settings for. */
const OF_PULL_ONLY = {
  requestPayer: false,
  bucketOwner: undefined,
  exec: undefined,
  execDelay: 0,
  roleArn: undefined,
  fips: false,
  dualStack: false,
};
