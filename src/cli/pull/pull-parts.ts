import { resolveOwner } from '../../config/owner.ts';
import type { PullConfig } from '../../config/schemas/pull.ts';
import type { Mapping } from '../../config/sync-map.ts';
import { createActions, type Actions } from '../../events/action/download/actions.ts';
import { BucketPool } from '../../events/action/bucket-pool.ts';
import { ExecRunner } from '../../events/exec/exec-runner.ts';
import { KeyMap } from '../../events/match/key-map.ts';
import { openParking } from '../../events/parking/open-parking.ts';
import type { Parking } from '../../events/parking/parking.ts';
import { listKeys } from '../../events/pull/list-keys.ts';
import type { ListedKey } from '../../events/pull/resync.ts';
import type { SqsOptions } from '../../events/sqs/sqs-options.ts';
import { openPullState } from '../../events/state/open-pull-state.ts';
import type { PullState } from '../../events/state/pull-state.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { LastingWork } from '../lasting-command.ts';
import { parkingFolder, stateFile } from './state-files.ts';

/** What a pull works with, but for its queue. */
export interface PullParts extends AsyncDisposable {
  readonly keys: KeyMap;
  readonly pool: BucketPool;
  readonly state: PullState;
  readonly parking: Parking;
  readonly actions: Actions;
  readonly exec: ExecRunner | undefined;
  readonly rootOf: (mapping: Mapping) => string;
  readonly list: (bucket: string, prefix: string) => AsyncIterable<ListedKey>;
}

/** The settings that these come from. */
export type PartsConfig = Pick<
  PullConfig,
  | 'sync'
  | 'state'
  | 'delete'
  | 'mode'
  | 'owner'
  | 'minFree'
  | 'concurrency'
  | 'requestPayer'
  | 'bucketOwner'
  | 'exec'
  | 'execDelay'
  | 'region'
  | 'profile'
  | 'roleArn'
  | 's3Endpoint'
  | 'fips'
  | 'dualStack'
>;

export interface PartsOptions {
  /** Nothing is made, and nothing is run. Default false. */
  readonly isLook?: boolean;
  /** Default: that of the config. */
  readonly state?: string;
}

/**
 * Opens state, parking and folders.
 * @throws IsyncError FENCED where another process has the state, and what the folders can't be opened for
 */
export async function openPullParts(
  { config, log, signal, cut }: Pick<LastingWork<PartsConfig>, 'config' | 'log' | 'signal' | 'cut'>,
  { isLook = false, state: file = stateFile(config) }: PartsOptions = {},
): Promise<PullParts> {
  await using opened = new AsyncDisposableStack();
  const { bucketOwner, requestPayer } = config;
  const keys = keysOf(config);
  const pool = opened.use(openPool(config, cut));
  const state = opened.use(await openPullState(file, { log }));
  const parking = await openParking(parkingFolder(config), { log, minFreeBytes: config.minFree });
  const exec =
    config.exec === undefined || isLook
      ? undefined
      : opened.use(new ExecRunner({ command: config.exec, delayMs: config.execDelay, state, log, signal }));
  const actions = opened.use(
    await createActions({
      state,
      mappings: config.sync,
      buckets: pool,
      removals: config.delete,
      mode: config.mode,
      owner: config.owner === undefined ? undefined : resolveOwner(config.owner),
      minFreeBytes: config.minFree,
      requestPayer,
      bucketOwner,
      changed: async (path) => await exec?.owe([path]),
      dryRun: isLook,
      log,
    }),
  );
  const all = opened.move();
  return {
    keys,
    pool,
    state,
    parking,
    actions,
    exec,
    rootOf: (mapping) => actions.folders.of(mapping).root,
    list: (bucket, prefix) => listKeys(pool, bucket, prefix, { bucketOwner, requestPayer }),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

export function keysOf({ sync }: Pick<PullConfig, 'sync'>): KeyMap {
  return new KeyMap(sync);
}

/** The buckets, however many there are. */
export function openPool(config: PartsConfig, cut: AbortSignal): BucketPool {
  return new BucketPool(s3Access(config), { cut, concurrency: config.concurrency });
}

/** How to reach the queue of SQS, which the settings name where they name no source. */
export function sqsOptions(config: PullConfig, log: Log): SqsOptions {
  const { queue } = config;
  if (queue === undefined)
    throw new IsyncError('CONFIG_INVALID', 'this is for a queue of SQS, and none is named');
  const { sqsEndpoint, region, profile, roleArn } = config;
  return {
    queue,
    endpoint: sqsEndpoint?.href,
    region,
    profile,
    roleArn,
    ...awsEndpoints(config, sqsEndpoint),
    log,
  };
}

function s3Access(config: PartsConfig) {
  const { s3Endpoint, region, profile, roleArn } = config;
  return { endpoint: s3Endpoint?.href, region, profile, roleArn, ...awsEndpoints(config, s3Endpoint) };
}

/** These choose among endpoints of AWS, so they say nothing of another server. */
function awsEndpoints({ fips, dualStack }: PartsConfig, endpoint: URL | undefined) {
  return endpoint === undefined ? { fips: fips || undefined, dualStack: dualStack || undefined } : {};
}
