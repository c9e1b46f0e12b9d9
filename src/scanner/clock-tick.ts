/** Kernels before 6.13 stamp files by the timer tick, at most 10 ms. */
const TICK_MS = 20;
/** The same where files are stamped by the whole second: ext3, ext4 with small inodes, some network file systems. */
const WHOLE_SECOND_MS = 1000;

/** How long, in ms, a file may be written again without getting another time than `stampMs`, which it has. */
export function tickOf(stampMs: number): number {
  return stampMs % WHOLE_SECOND_MS === 0 ? WHOLE_SECOND_MS : TICK_MS;
}
