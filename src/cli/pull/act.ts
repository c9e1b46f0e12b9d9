import type { PullConfig } from '../../config/schemas/pull.ts';
import { openParking } from '../../events/parking/open-parking.ts';
import { openPullState } from '../../events/state/open-pull-state.ts';
import type { Running } from '../../events/work/work.ts';
import { WorkTally } from '../../events/work/work-tally.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openNamedAction } from '../webhook/open-action.ts';
import { openSource, summaryLine } from './follow.ts';
import { parkingFolder, stateFile } from './state-files.ts';
import { openPullStatus } from './status.ts';

/** Follows the queue with an action that writes no files here. */
export async function act(given: LastingWork<PullConfig>): Promise<ExitCode> {
  const { config, output, log, signal, cut } = given;
  if (config.resyncNow || config.resync !== false)
    throw new IsyncError(
      'CONFIG_INVALID',
      'a resync compares folders with buckets, and no folder is mapped',
      {
        hint: 'Leave it out; for a bucket that is copied to another one there is "isync webhook resync".',
      },
    );
  // Nothing is remembered: but one process alone may work with the folder, and this tells others.
  await using opened = new AsyncDisposableStack();
  opened.use(await openPullState(stateFile(config), { log }));
  const parking = await openParking(parkingFolder(config), { log, minFreeBytes: config.minFree });
  const source = opened.use(await openSource(given));
  let running: Running | undefined;
  const tally = new WorkTally();
  await using status = await openPullStatus(given, {
    parking,
    exec: undefined,
    source,
    tally,
    running: () => running,
  });
  const { sourceEndpoint = config.s3Endpoint, sourceRegion = config.region } = config;
  const { sourceProfile = config.profile } = config;
  // A script is told the present state only where that is asked for.
  const ways = config.script === undefined ? { sourceEndpoint, sourceRegion, sourceProfile } : {};
  await using action = await openNamedAction({ ...given, config: { ...config, ...ways } }, status.action);
  if (action === undefined) throw new Error('the settings name an action where they map no folder');
  output.text(`isync pull: following ${source.where}`);
  output.object({
    event: 'following',
    queue: source.where,
    ...(status.url !== undefined && { status: status.url }),
  });
  const { failure } = await action.work({
    ...config,
    source,
    parking,
    started: (now) => {
      running = now;
    },
    observer: status.observer,
    log,
    signal,
    cut,
  });
  const { summary } = tally;
  output.text(summaryLine(summary));
  if (!config.once) return output.done(summary);
  if (failure !== undefined) return output.failed(failure, summary);
  if (signal.aborted) return output.done(summary, EXIT.INTERRUPTED);
  return output.done(summary, summary.parked > 0 ? EXIT.PROBLEMS : EXIT.DONE);
}
