import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Size in bytes from which V8's young generation grows no more. On machines with memory it goes to some 100 MB, for no
 * gain here: what isync allocates is garbage by the next collection.
 */
const ENOUGH_BYTES = 16 * 1024 * 1024;

/**
 * Keeps the young generation small. By its growth, because the size itself can only be set on Node's own command line,
 * and this factor is read whenever V8 is about to grow. Looks after collections only, so an idle process pays nothing.
 */
export function limitYoungGeneration(): void {
  const observer = new PerformanceObserver(() => {
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (space === undefined || space.space_size < ENOUGH_BYTES) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}
