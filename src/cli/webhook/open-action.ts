import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import type { Action } from '../../events/action/action.ts';
import type { DownloadTarget } from '../../events/action/download/download-action.ts';
import { work, type WorkEnd, type WorkOptions } from '../../events/work/work.ts';
import type { ActionMetrics } from '../../events/work/action-metrics.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LastingWork } from '../lasting-command.ts';

/** What is done about events, ready to be done. */
export interface OpenedAction extends AsyncDisposable {
  work(options: Omit<WorkOptions<unknown>, 'action' | 'beside'>): Promise<WorkEnd>;
}

type Given = Pick<LastingWork<WebhookConfig>, 'config' | 'configFile' | 'log' | 'signal' | 'cut'>;

/**
 * Opens the one action that the config names, and loads no other.
 * @throws IsyncError CONFIG_INVALID where it names none, and what opening it throws
 */
export async function openAction(given: Given, metrics: ActionMetrics | undefined): Promise<OpenedAction> {
  const { config } = given;
  if (config.sync.length > 0) return ready(await download(given), metrics);
  throw new IsyncError('CONFIG_INVALID', 'nothing says what to do about events', {
    hint: 'Give --script FILE, --to s3://BUCKET, --forward URL, or "sync" in the config file; or take them only: --role receive.',
  });
}

function ready<Target>(action: Action<Target>, metrics: ActionMetrics | undefined): OpenedAction {
  const timed = metrics === undefined ? action : { ...action, act: metrics.timed(action) };
  return {
    work: (options) => work<Target>({ ...options, action: timed }),
    [Symbol.asyncDispose]: () => action[Symbol.asyncDispose](),
  };
}

async function download({ config, ...given }: Given): Promise<Action<DownloadTarget>> {
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
