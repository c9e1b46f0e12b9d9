import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';

/**
 * Size in bytes from which the young generation grows no more. A smaller one lets files in flight pass for old ones; a
 * larger one is collected so seldom that the buffers it keeps alive make V8 collect everything instead.
 */
const YOUNG_BYTES = 8 * 1024 * 1024;
/**
 * What may be allocated before V8 looks through everything again, in bytes: some hundred messages of the wire.
 * Most of it is garbage of the last second, and adds to the memory that is taken.
 */
const ROOM_BYTES = 64 * 1024 * 1024;
/** Room for what isync holds by itself, some 15 MiB: this much more than what was alive, in percent. */
const MOST_ROOM_PERCENT = 400;
const LEAST_ROOM_PERCENT = 20;

/**
 * Makes V8 collect as fits a program that passes buffers on. It counts their memory as part of the heap: beside a
 * small one, it would look through everything after every 10 MB that were read, and most of its time would go there.
 *
 * So the young generation stays small: it is collected often and for little, and takes dead buffers with it; and
 * everything is collected once so much more has come. Held buffers count as what is alive.
 * Flags, because V8 reads these whenever it plans its next collection; sizes can only be set on Node's command line.
 */
export function planHeapGrowth(): void {
  let youngGrows = true;
  let percent = setRoom(MOST_ROOM_PERCENT);
  const observer = new PerformanceObserver((list) => {
    if (youngGrows && youngBytes() >= YOUNG_BYTES) {
      youngGrows = false;
      setFlagsFromString('--semi-space-growth-factor=1');
    }
    if (!list.getEntries().some(isWhole)) return;
    const { used_heap_size: heapBytes, external_memory: bufferBytes } = getHeapStatistics();
    const fitting = Math.round((100 * ROOM_BYTES) / (heapBytes + bufferBytes));
    const next = Math.min(Math.max(fitting, LEAST_ROOM_PERCENT), MOST_ROOM_PERCENT);
    if (next !== percent) percent = setRoom(next);
  });
  observer.observe({ entryTypes: ['gc'] });
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

function setRoom(percent: number): number {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
  return percent;
}

/** Not one of the young generation alone. */
function isWhole(collection: object): boolean {
  const detail = 'detail' in collection ? collection.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  return kind !== constants.NODE_PERFORMANCE_GC_MINOR;
}
