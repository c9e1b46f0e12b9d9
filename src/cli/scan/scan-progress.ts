import type { ProgressState } from '../../observe/progress.ts';
import { activityOfAll } from '../status/activity-of-all.ts';
import type { Activity } from '../../observe/status/report.ts';
import type { ScanView } from '../../sender/scan/scan-view.ts';

export interface ScanProgressOptions {
  /** Bytes of content that have left so far. */
  readonly sentBytes: () => number;
  readonly activity: () => Activity;
  /** Undefined until the scan has begun. */
  readonly view: () => ScanView | undefined;
}

/**
 * How far a scan is. What is to be done begins with the backlog of the start, and anew with what comes once all is sent: a daemon that has
 * run for weeks tells of what it does now.
 */
export class ScanProgress {
  readonly #options: ScanProgressOptions;
  /** Bytes that were to be sent at the start, where that is known. */
  #backlog: number | undefined;
  /** Bytes that had left, and that were kept, when there was last nothing to send. */
  #before = { sent: 0, kept: 0 };

  constructor(options: ScanProgressOptions) {
    this.#options = options;
  }

  /** Tells how much there is to send at the start; until then no part of it is shown. */
  expect(bytes: number): void {
    this.#backlog = bytes;
  }

  state(): ProgressState {
    const { sentBytes, activity } = this.#options;
    const view = this.#options.view();
    const shown = { files: view?.files ?? 0, bytes: sentBytes(), activity: activity() };
    if (view === undefined) return shown;
    const { waiting } = view;
    if (
      waiting.files === 0 &&
      this.#backlog !== undefined &&
      view.bytes - this.#before.kept >= this.#backlog
    ) {
      this.#before = { sent: shown.bytes, kept: view.bytes };
      this.#backlog = 0;
    }
    const { sent, kept } = this.#before;
    // What is on its way counts as waiting, as a whole.
    const known = view.bytes - kept + waiting.bytes;
    const total = this.#backlog === undefined ? undefined : Math.max(this.#backlog, known);
    const done = shown.bytes - sent;
    return {
      ...shown,
      part: total === undefined ? undefined : { done, total },
      directoriesLeft: view.unsealed.length,
      current: view.inFlight(1)[0]?.path,
    };
  }
}

/** How far several are together. What is to be done is known once it is known of each. */
export function progressOfAll(all: readonly ScanProgress[]): ProgressState {
  const states = all.map((progress) => progress.state());
  const [only] = states;
  if (states.length === 1 && only !== undefined) return only;
  const sum = (of: (state: ProgressState) => number | undefined): number =>
    states.reduce((total, state) => total + (of(state) ?? 0), 0);
  const isKnown = states.every(({ part }) => part !== undefined);
  return {
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    part: isKnown
      ? { done: sum(({ part }) => part?.done), total: sum(({ part }) => part?.total) }
      : undefined,
    directoriesLeft: sum(({ directoriesLeft }) => directoriesLeft),
    activity: activityOfAll(states.map(({ activity = 'working' }) => activity)),
    current: states.find(({ current }) => current !== undefined)?.current,
  };
}
