import { type ListedScan, readScans, type ScansConfig } from '../config/read-scans.ts';
import { KeptOpen } from '../sender/kept-open.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { FILES_OF_SCAN, openFilesLimit, warnOfFewFiles } from './open-files.ts';
import { BandwidthLimits } from './scan/bandwidth-limits.ts';
import { endOfScan, endOfScans } from './scan/end-of-scans.ts';
import { keepRunning } from './scan/keep-running.ts';
import { OneScan, type ScanEnd } from './scan/one-scan.ts';
import { RootsApart } from './scan/roots-apart.ts';
import { progressOfAll } from './scan/scan-progress.ts';
import { takeScans } from './scan/take-scans.ts';
import { statusLine } from './scan/watched.ts';
import type { Changes } from './reload.ts';
import { openStatus } from './status/open-status.ts';
import { partsOfScan, partsOfScans } from './status/scan-parts.ts';

export const runScan = lastingCommand(readScans, FINISHING, async (given) => {
  const { config, output, screen, log, signal } = given;
  const { isList, all } = config.scans;
  warnOfFewFiles(log, FILES_OF_SCAN * all.length);
  const apart = isList ? await RootsApart.of(all) : undefined;
  // Whoever started a single scan is told once its target is open; one of several must not wait for another's.
  const scans = openScans(given, apart, () => {
    if (!isList) tellReady(given, scans);
  });
  const [first] = scans;
  const statuses = scans.map(({ status }) => status);
  const hasMetrics = config.status !== undefined;
  const parts = isList ? partsOfScans(statuses, hasMetrics) : partsOfScan(first.status, hasMetrics);
  await using status = await openStatus(given, await parts);
  await using hooks = new AsyncDisposableStack();
  for (const scan of scans) hooks.use(await scan.openHooks());
  if (status.url !== undefined) log.info('status page', { url: status.url });
  screen.showProgress(() => progressOfAll(scans.map(({ progress }) => progress)));
  if (screen.isShown) for (const scan of scans) scan.measureBacklog();
  if (!isList) return endOfScan(await first.run(), output, signal);
  tellReady(given, scans);
  const run = async (scan: OneScan): Promise<readonly [OneScan, ScanEnd]> => [
    scan,
    await keepRunning(scan, signal),
  ];
  return endOfScans(await Promise.all(scans.map(run)), output, signal);
});

type Scans = readonly [OneScan, ...OneScan[]];

function openScans(
  { config, signal, cut, log }: LastingWork<ScansConfig>,
  apart: RootsApart | undefined,
  onOpened: () => void,
): Scans {
  const { isList, all } = config.scans;
  const limits = new BandwidthLimits();
  const keptOpen = new KeptOpen(openFilesLimit());
  const open = (listed: ListedScan): OneScan => {
    const own = isList ? log.with({ root: listed.config.root }) : log;
    return new OneScan({ listed, apart, limits, keptOpen, signal, cut, onOpened, log: own });
  };
  const [first, ...others] = all;
  return [open(first), ...others.map(open)];
}

/** From now on SIGHUP has the settings read again. */
function tellReady(given: LastingWork<ScansConfig>, scans: Scans): void {
  const { config } = given;
  if (config.once) return;
  const take = (next: ScansConfig): Changes => takeScans(scans, config.scans.isList, next);
  given.reloads({}, () => statusLine(scans.map(({ watched }) => watched)), { scans: take });
}
