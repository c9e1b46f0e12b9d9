import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Live heap in bytes below which V8 is given room. What isync does by itself takes about 15 MiB. */
const SMALL_HEAP_BYTES = 32 * 1024 * 1024;
/** Room for a small heap and the buffers it holds: this much more than what was alive, in percent. */
const ROOM_PERCENT = 400;

/**
 * Makes V8 collect as fits a program that passes buffers on. It counts their memory as part of the heap: beside a
 * small one, it would look through everything after every 10 MB that were read, and most of its time would go there.
 *
 * So the young generation stays at its first size (1 MiB), which is collected often and for little, and takes dead
 * buffers with it; and the whole of a small heap is collected less often. A large heap is left to V8's own rules.
 * Flags, because V8 reads these whenever it plans its next collection; sizes can only be set on Node's command line.
 */
export function planHeapGrowth(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--heap-growing-percent=${ROOM_PERCENT}`);
  let roomy = true;
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isWhole)) return;
    const small = getHeapStatistics().used_heap_size < SMALL_HEAP_BYTES;
    if (small === roomy) return;
    roomy = small;
    setFlagsFromString(`--heap-growing-percent=${small ? ROOM_PERCENT : 0}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** Not one of the young generation alone. */
function isWhole(collection: object): boolean {
  const detail = 'detail' in collection ? collection.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  return kind !== constants.NODE_PERFORMANCE_GC_MINOR;
}
