import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ListedScan } from '../../config/read-scans.ts';
import { OF_PROCESS, type ScanConfig } from '../../config/schemas/scan.ts';
import { ignorePatterns } from '../../config/schemas/sender.ts';
import { showAddress } from '../../config/target-address.ts';
import type { Bandwidth } from '../../flow/bandwidth.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
import type { Log } from '../../model/log.ts';
import { WATCH_MARKER } from '../../model/markers.ts';
import { IgnoreSetting } from '../../scanner/ignore-setting.ts';
import type { KeptOpen } from '../../sender/kept-open.ts';
import { backlogBytes } from '../../sender/scan/backlog-size.ts';
import type { ScanSummary } from '../../sender/scan/scan-options.ts';
import { scan } from '../../sender/scan/scan.ts';
import { openHooks } from '../hooks/open-hooks.ts';
import { openTarget } from '../open-target.ts';
import { type Changes, takeBy, type TakeSettings } from '../reload.ts';
import { fileEndsMs } from '../status/certificate.ts';
import { ScanStatus } from '../status/scan-status.ts';
import type { BandwidthLimits } from './bandwidth-limits.ts';
import { startExpiring } from './expire-beside.ts';
import type { RootsApart } from './roots-apart.ts';
import { ScanProgress } from './scan-progress.ts';
import { Watched } from './watched.ts';

export interface OneScanOptions {
  readonly listed: ListedScan;
  readonly limits: BandwidthLimits;
  readonly keptOpen: KeptOpen;
  readonly signal: AbortSignal;
  readonly cut: AbortSignal;
  /** Undefined where it is the only scan. */
  readonly apart: RootsApart | undefined;
  /** Called whenever the target has been opened. */
  readonly onOpened: () => void;
  readonly log: Log;
}

/** Of a scan to a receiver with the bytes of messages. */
type Summary = ScanSummary & { readonly wireBytes?: number };

/** What a scan has done, where it came so far, and why it ended before its time. */
export interface ScanEnd {
  readonly summary: Summary | undefined;
  readonly failure: unknown;
}

/** One root and its target: all that runs for it, in a process that may have several. */
export class OneScan {
  readonly config: ScanConfig;
  readonly log: Log;
  readonly status: ScanStatus;
  readonly watched: Watched;
  readonly progress: ScanProgress;
  readonly #options: OneScanOptions;
  readonly #ignore: IgnoreSetting;
  readonly #limiter: RateLimiter | undefined;
  readonly #take: TakeSettings<ScanConfig>;
  /** In force. */
  #bandwidth: Bandwidth | undefined;

  constructor(options: OneScanOptions) {
    const { listed, limits, log } = options;
    const { config } = listed;
    this.#options = options;
    this.config = config;
    this.#bandwidth = config.bwlimit;
    this.log = log;
    this.watched = new Watched(log);
    this.#ignore = new IgnoreSetting(ignorePatterns(config));
    this.#limiter = limits.limiterOf(listed);
    this.status = new ScanStatus({
      config,
      sentBytes: () => this.watched.bytes,
      certificateEndsMs: () => fileEndsMs(config.tlsCert),
      log,
    });
    this.watched.onTransferred = () => this.status.link.transferred();
    this.progress = new ScanProgress({
      sentBytes: () => this.watched.bytes,
      activity: () => this.status.board.activity(),
      view: () => this.status.view,
    });
    const ignored = (next: ScanConfig): void => this.#ignore.set(ignorePatterns(next));
    const table = {
      ignore: ignored,
      defaultIgnore: ignored,
      bwlimit: (next: ScanConfig) => limits.set(listed, (this.#bandwidth = next.bwlimit)),
    };
    this.#take = takeBy(config, table, OF_PROCESS);
  }

  /** Tells the user's programs of seals and problems until it is disposed; after the first look at the status. */
  async openHooks(): Promise<AsyncDisposable> {
    const { device, root, to } = this.config;
    const hooks = await openHooks({
      config: this.config,
      owner: { command: 'scan', subject: `${root} → ${showAddress(to)} (${device})` },
      alarms: this.status.board.alarms,
      log: this.log,
    });
    hooks.seal?.catchUp(device, (directory) => existsSync(join(root, directory, WATCH_MARKER)));
    this.watched.hook = hooks.seal && { device, seal: hooks.seal };
    return hooks;
  }

  /** For the progress: where that fails no part is shown, and the scan tells what is wrong. */
  measureBacklog(): void {
    backlogBytes({ ...this.config, ignore: this.#ignore.rule, signal: this.#options.signal }).then(
      (bytes) => this.progress.expect(bytes),
      (err: unknown) => this.log.debug('the backlog could not be measured', { err }),
    );
  }

  /** Scans until all is done, the signal fires, or nothing goes on. Never rejects. */
  async run(): Promise<ScanEnd> {
    try {
      return await this.#run();
    } catch (failure) {
      return { summary: undefined, failure };
    }
  }

  /** Takes what has changed in the settings, by the names that a config file has for them. */
  take({ config: next, sharesBandwidth }: ListedScan): Changes {
    if (sharesBandwidth === this.#options.listed.sharesBandwidth) return this.#take(next);
    // A limit of its own in the place of one that is shared, or the other way round.
    const { taken, lasting } = this.#take({ ...next, bwlimit: this.#bandwidth });
    return { taken, lasting: [...lasting, 'bwlimit'] };
  }

  async #run(): Promise<ScanEnd> {
    const { config, status, watched, log } = this;
    const { listed, apart, keptOpen, signal, cut, onOpened } = this.#options;
    await apart?.take(listed);
    await using opened = await openTarget(config, {
      mode: 'write',
      endsByItself: config.once,
      limiter: this.#limiter,
      replaceDamaged: config.replaceDamaged,
      compress: config.compress,
      onSend: (bytes) => (watched.wireBytes += bytes),
      watch: status.link,
      report: () => status.report(),
      signal,
      cut,
      log,
    });
    // A target may be long in coming.
    await apart?.take(listed);
    onOpened();
    await using expiring = await startExpiring(config, opened.target, {
      ignore: this.#ignore.rule,
      signal,
      log,
    });
    void opened.target.refused.then((error) => {
      status.link.refusedForGood(error);
      status.look();
    });
    const { summary, failure } = await scan({
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
      ignore: this.#ignore,
      keptOpen,
      signal,
      observer: watched,
      onView: (view) => status.begin(view),
      stuckAfterMs: config.stuckAfter === 0 ? undefined : config.stuckAfter,
      log,
    });
    await expiring?.[Symbol.asyncDispose]();
    const isReceiver = config.to.kind === 'receiver';
    return { summary: isReceiver ? { ...summary, wireBytes: watched.wireBytes } : summary, failure };
  }
}
