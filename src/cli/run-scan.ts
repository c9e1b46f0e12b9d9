import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { KEEP_AT_LEAST_MS } from '../config/expire-values.ts';
import { scanSchema } from '../config/schemas/scan.ts';
import { showAddress } from '../config/target-address.ts';
import { ignorePatterns } from '../config/schemas/sender.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { allDay } from '../flow/bandwidth.ts';
import type { Problem } from '../model/problem.ts';
import type { Log } from '../model/log.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import type { IgnoreRule } from '../scanner/ignore-rule.ts';
import { IgnoreSetting } from '../scanner/ignore-setting.ts';
import type { ScanObserver, ScanSummary } from '../sender/scan/scan-options.ts';
import { scan } from '../sender/scan/scan.ts';
import type { Target } from '../sender/target.ts';
import { backlogBytes } from '../sender/scan/backlog-size.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { FILES_OF_SCAN, warnOfFewFiles } from './open-files.ts';
import { openTarget } from './open-target.ts';
import { openHooks } from './hooks/open-hooks.ts';
import type { SealHook } from './hooks/seal-hook.ts';
import { ScanProgress } from './scan-progress.ts';
import { openStatus } from './status/open-status.ts';
import { certificateEndsMs } from './status/certificate.ts';
import { ScanStatus } from './status/scan-status.ts';

type Config = z.output<typeof scanSchema>;

const NO_LIMIT = allDay(Infinity);
/** Problems that the summary for people lists; the log has all of them. */
const MAX_PROBLEMS_SHOWN = 20;

export const runScan = lastingCommand(scanSchema, FINISHING, async (given) => {
  const { config, output, screen, log, signal, cut } = given;
  warnOfFewFiles(log, FILES_OF_SCAN);
  const ignore = new IgnoreSetting(ignorePatterns(config));
  let bandwidth = config.bwlimit ?? NO_LIMIT;
  const watched = new Watched(log);
  const state = new ScanStatus({
    config,
    sentBytes: () => watched.bytes,
    certificateEndsMs: config.tlsCert === undefined ? undefined : certificateEndsMs(config.tlsCert),
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

/** Starts to expire directories, where that is asked for; disposing ends it. */
async function startExpiring(
  { root, tag, newest, to, expireKeep, expireMinFree }: Config,
  target: Target,
  { ignore, signal, log }: { ignore: IgnoreRule; signal: AbortSignal; log: Log },
): Promise<AsyncDisposable | undefined> {
  if (expireKeep === undefined && expireMinFree === undefined) return undefined;
  const { expireDuty } = await import('../sender/expire/expire-duty.ts');
  const over = new AbortController();
  const duty = expireDuty({
    root,
    target,
    tag,
    ignore,
    newest,
    keepMs: expireKeep,
    minFree: expireMinFree,
    keepAtLeastMs: KEEP_AT_LEAST_MS,
    targetName: showAddress(to),
    signal: AbortSignal.any([signal, over.signal]),
    log,
  });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await duty;
    },
  };
}

function exitCodeOfScan({ problemCount }: ScanSummary, { aborted }: AbortSignal): ExitCode {
  if (aborted) return EXIT.INTERRUPTED;
  return problemCount > 0 ? EXIT.PROBLEMS : EXIT.DONE;
}

/** Logs what a scan tells, and counts it for the status line. */
class Watched implements ScanObserver {
  readonly #log: Log;
  files = 0;
  bytes = 0;
  /** Bytes of messages to a receiver; what is sent again counts again. */
  wireBytes = 0;
  onTransferred: () => void = () => undefined;
  hook: { readonly device: string; readonly seal: SealHook } | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** In a line, for `systemctl status`. */
  get status(): string {
    return `${formatCount(this.files, 'file')}, ${formatBytes(this.bytes)} sent`;
  }

  sent(bytes: number): void {
    this.bytes += bytes;
  }

  transferred(path: string, bytes: number): void {
    this.files++;
    this.onTransferred();
    this.#log.debug('transferred', { path, bytes });
  }

  problem({ path, code, message }: Problem): void {
    this.#log.warn(message, { code, path });
  }

  sealing(name: string): void {
    this.hook?.seal.sealing(name);
  }

  directory(name: string, state: string, sealed: boolean): void {
    if (sealed) this.hook?.seal.sealed(this.hook.device, name);
    this.#log.info(sealed ? 'directory sealed' : `directory ${state}`, { directory: name });
  }
}

/** Returns `12 files, 3.4 MiB sent; 2 of 3 directories sealed; 1 problem`, and a line for each problem. */
export function summaryLines(summary: ScanSummary): string[] {
  const { problems, problemCount, directories } = summary;
  const sealed = directories.filter((directory) => directory.sealed).length;
  const parts = [
    `${formatCount(summary.files, 'file')}, ${formatBytes(summary.bytes)} sent`,
    `${sealed} of ${formatCount(directories.length, 'directory', 'directories')} sealed`,
    ...(problemCount > 0 ? [formatCount(problemCount, 'problem')] : []),
    ...(summary.ignored > 0 ? [`${formatCount(summary.ignored, 'file')} left alone (--ignore)`] : []),
    ...(summary.looseFiles > 0
      ? [`${formatCount(summary.looseFiles, 'file')} in the root itself not sent`]
      : []),
  ];
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN);
  const lines = shown.map(
    ({ path, code, message }) => `  ${printable(path)}: ${printable(message)} [${code}]`,
  );
  const more = problemCount - shown.length;
  return [parts.join('; '), ...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}
