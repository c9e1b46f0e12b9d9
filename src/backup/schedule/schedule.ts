/** When a job is due. Times are in ms since the epoch. */
export interface Schedule {
  /** The first time after `afterMs` at which it is due; undefined where there is none. */
  next(afterMs: number): number | undefined;
}
