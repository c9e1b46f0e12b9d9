/** When a job is due. Times are in ms since the epoch. */
export interface Schedule {
  /** The first time after `afterMs` at which it is due; undefined where there is none. */
  next(afterMs: number): number | undefined;
  /** The last time after `afterMs`, up to `untilMs`, at which it is due; undefined where there is none. */
  last(afterMs: number, untilMs: number): number | undefined;
}
