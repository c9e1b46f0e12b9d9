/** Over how long the rate behind an estimate is measured, in ms: bursts of small files level out, and a link that got slower counts soon. */
const WINDOW_MS = 60_000;
/** An estimate means nothing before something has moved for this long, in ms. */
const SOONEST_MS = 10_000;
/** Time between two samples that are kept, in ms. */
const SAMPLE_MS = 1_000;
/** A longer estimate, in seconds, only says that nothing moves to speak of. */
const LONGEST_S = 30 * 86_400;

/** Estimates how long something will take, from how much of it the last minute has done. */
export class TimeLeft {
  #samples: { readonly atMs: number; readonly done: number }[] = [];

  /**
   * Returns the seconds that are left; undefined where that can't be said: too soon, nothing moves, or nobody knows how much there is.
   * @param part undefined: nothing is being done, so that the next thing is measured from its beginning
   */
  sample(
    nowMs: number,
    part: { readonly done: number; readonly total: number } | undefined,
  ): number | undefined {
    const last = this.#samples.at(-1);
    // Of something else.
    if (part === undefined || part.done < (last?.done ?? 0)) this.#samples = [];
    if (part === undefined) return undefined;
    const { done, total } = part;
    if (this.#samples.length === 0 || nowMs - (last?.atMs ?? 0) >= SAMPLE_MS)
      this.#samples.push({ atMs: nowMs, done });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.atMs ?? 0) >= WINDOW_MS)
      this.#samples.shift();
    const [first] = this.#samples;
    if (first === undefined || nowMs - first.atMs < SOONEST_MS || done <= first.done) return undefined;
    const seconds = ((total - done) * (nowMs - first.atMs)) / 1000 / (done - first.done);
    return seconds > LONGEST_S ? undefined : seconds;
  }
}
