/** Over how long a rate is measured, in ms: shorter jumps, longer is no "now" any more. */
const WINDOW_MS = 5_000;
/** Calls that follow each other closer than this, in ms, measure together: several viewers ask for one report each. */
const CLOSEST_MS = 250;

/**
 * Returns a function that tells how much `count` has grown a second, over the last seconds in which it was asked for; null where
 * nobody has asked lately, so that it can't be known yet. Costs nothing between calls.
 * @param now in ms
 */
export function rateWindow(count: () => number, now = () => performance.now()): () => number | null {
  let samples: { readonly atMs: number; readonly count: number }[] = [];
  return () => {
    const sample = { atMs: now(), count: count() };
    const last = samples.at(-1);
    if (last === undefined || sample.atMs - last.atMs > WINDOW_MS) samples = [];
    if (samples.length === 0 || sample.atMs - (last?.atMs ?? 0) >= CLOSEST_MS) samples.push(sample);
    while (samples.length > 2 && sample.atMs - (samples[1]?.atMs ?? 0) >= WINDOW_MS) samples.shift();
    const [first = sample] = samples;
    if (sample.atMs - first.atMs < CLOSEST_MS) return null;
    return Math.max(0, Math.round(((sample.count - first.count) * 1000) / (sample.atMs - first.atMs)));
  };
}
