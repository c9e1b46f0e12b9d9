import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { scanSchema } from '../config/schemas/scan.ts';
import { showAddress } from '../config/target-address.ts';
import { ignorePatterns } from '../config/schemas/sender.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { allDay } from '../flow/bandwidth.ts';
import { IgnoreSetting } from '../scanner/ignore-setting.ts';
import type { ScanSummary } from '../sender/scan/scan-options.ts';
import { scan } from '../sender/scan/scan.ts';
import { backlogBytes } from '../sender/scan/backlog-size.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { FILES_OF_SCAN, warnOfFewFiles } from './open-files.ts';
import { openTarget } from './open-target.ts';
import { openHooks } from './hooks/open-hooks.ts';
import { ScanProgress } from './scan/scan-progress.ts';
import { startExpiring } from './scan/expire-beside.ts';
import { summaryLines } from './scan/summary-lines.ts';
import { Watched } from './scan/watched.ts';
import { openStatus } from './status/open-status.ts';
import { fileEndsMs } from './status/certificate.ts';
import { ScanStatus } from './status/scan-status.ts';

type Config = z.output<typeof scanSchema>;

const NO_LIMIT = allDay(Infinity);

export const runScan = lastingCommand(scanSchema, FINISHING, async (given) => {
  const { config, output, screen, log, signal, cut } = given;
  warnOfFewFiles(log, FILES_OF_SCAN);
  const ignore = new IgnoreSetting(ignorePatterns(config));
  let bandwidth = config.bwlimit ?? NO_LIMIT;
  const watched = new Watched(log);
  const state = new ScanStatus({
    config,
    sentBytes: () => watched.bytes,
    certificateEndsMs: () => fileEndsMs(config.tlsCert),
    log,
  });
  watched.onTransferred = () => state.link.transferred();
  await using status = await openStatus(given, await state.parts());
  const { device, root } = config;
  await using hooks = await openHooks({
    config,
    owner: { command: 'scan', subject: `${root} → ${showAddress(config.to)} (${device})` },
    alarms: state.board.alarms,
    log,
  });
  hooks.seal?.catchUp(device, (directory) => existsSync(join(root, directory, WATCH_MARKER)));
  watched.hook = hooks.seal && { device, seal: hooks.seal };
  const progress = new ScanProgress({
    sentBytes: () => watched.bytes,
    activity: () => state.board.activity(),
    view: () => state.view,
  });
  if (status.url !== undefined) log.info('status page', { url: status.url });
  screen.showProgress(() => progress.state());
  if (screen.isShown) {
    // Where that fails no part is shown; the scan tells what is wrong.
    backlogBytes({ ...config, ignore: ignore.rule, signal }).then(
      (bytes) => progress.expect(bytes),
      (err: unknown) => log.debug('the backlog could not be measured', { err }),
    );
  }
  await using opened = await openTarget(config, {
    mode: 'write',
    endsByItself: config.once,
    // A daemon may get a limit later.
    bandwidth: config.once && config.bwlimit === undefined ? undefined : () => bandwidth,
    replaceDamaged: config.replaceDamaged,
    compress: config.compress,
    onSend: (bytes) => (watched.wireBytes += bytes),
    watch: state.link,
    report: () => state.report(),
    signal,
    cut,
    log,
  });
  if (!config.once) {
    const ignored = (next: Config): void => ignore.set(ignorePatterns(next));
    const table = {
      ignore: ignored,
      defaultIgnore: ignored,
      bwlimit: (next: Config) => (bandwidth = next.bwlimit ?? NO_LIMIT),
    };
    given.reloads(table, () => watched.status);
  }
  await using expiring = await startExpiring(config, opened.target, { ignore: ignore.rule, signal, log });
  void opened.target.refused.then((error) => {
    state.link.refusedForGood(error);
    state.look();
  });
  const { summary: done, failure } = await scan({
    root: config.root,
    target: opened.target,
    once: config.once,
    tag: config.tag,
    complete: config.complete,
    settleMs: config.settle,
    quietMs: config.quiet,
    newest: config.newest,
    marks: config.marks,
    maxWatched: config.maxWatched,
    reopen: config.reopen,
    ignore,
    signal,
    observer: watched,
    onView: (view) => state.begin(view),
    stuckAfterMs: config.stuckAfter === 0 ? undefined : config.stuckAfter,
    log,
  });
  await expiring?.[Symbol.asyncDispose]();
  const summary = config.to.kind === 'receiver' ? { ...done, wireBytes: watched.wireBytes } : done;
  for (const line of summaryLines(summary)) output.text(line);
  if (failure !== undefined) return output.failed(failure, summary);
  return output.done(summary, exitCodeOfScan(summary, signal));
});

function exitCodeOfScan({ problemCount }: ScanSummary, { aborted }: AbortSignal): ExitCode {
  if (aborted) return EXIT.INTERRUPTED;
  return problemCount > 0 ? EXIT.PROBLEMS : EXIT.DONE;
}
