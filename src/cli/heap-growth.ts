import { constants, PerformanceObserver } from 'node:perf_hooks';
import {
  getHeapSpaceStatistics,
  getHeapStatistics,
  type HeapInfo,
  type HeapSpaceInfo,
  setFlagsFromString,
} from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isLargeExpected, setYoungGrowth } from '../flow/young-growth.ts';

/**
 * Size in bytes from which the young generation of a sender grows no more: a smaller one lets its files in flight pass
 * for old ones. A receiver's stays at its first size, because dead buffers wait in it for their collection.
 */
const SENDER_YOUNG_BYTES = 8 * 1024 * 1024;
/**
 * The same where small requests are answered: most of one dies in a young generation of this size. It does not grow while large
 * ones come, for within one of them V8 would take it from 2 MB to 34; see also main.ts.
 */
const REQUESTS_YOUNG_BYTES = 4 * 1024 * 1024;
/** The same where events are followed: what hundreds of messages in hand hold would all pass for old in a smaller one. */
const EVENTS_YOUNG_BYTES = 8 * 1024 * 1024;
/** Up to this much alive, buffers included, V8 may allocate ROOM_PERCENT of it before it looks through everything again. */
const SMALL_BYTES = 72 * 1024 * 1024;
const ROOM_PERCENT = 400;
/** The same where requests are answered, and where events are: few of their bytes are in buffers. It counts in each thread. */
const REQUESTS_ROOM_PERCENT = 60;
const EVENTS_ROOM_PERCENT = 200;
/** Beside more than that, V8 may allocate this many bytes: most of them are garbage of the last second. */
const ROOM_BYTES = 32 * 1024 * 1024;
const LEAST_ROOM_PERCENT = 20;
/**
 * Objects may grow by this many bytes before everything is looked through, at once and in some 15 ms: this is what some
 * 15,000 sent files leave behind. V8 alone lets them grow by 100 MB and more in a busy process.
 */
const OBJECTS_ROOM_BYTES = 32 * 1024 * 1024;
const REQUESTS_OBJECTS_ROOM_BYTES = 4 * 1024 * 1024;
const EVENTS_OBJECTS_ROOM_BYTES = 12 * 1024 * 1024;
/** With more than this alive, one collection would take too long: V8 goes through it bit by bit. */
const FEW_OBJECTS_BYTES = 40 * 1024 * 1024;

/** Whether files are read and sent, arrive in buffers that are soon dead, as events tell, or neither: small requests are answered. */
export type HeapPlan = 'sender' | 'receiver' | 'events' | 'requests';

/** What grows by how much: see above. No young generation is made larger than `youngBytes`. */
const PLANS = {
  sender: { youngBytes: SENDER_YOUNG_BYTES, mostPercent: ROOM_PERCENT, objectsRoom: OBJECTS_ROOM_BYTES },
  receiver: { youngBytes: 0, mostPercent: ROOM_PERCENT, objectsRoom: OBJECTS_ROOM_BYTES },
  events: {
    youngBytes: EVENTS_YOUNG_BYTES,
    mostPercent: EVENTS_ROOM_PERCENT,
    objectsRoom: EVENTS_OBJECTS_ROOM_BYTES,
  },
  requests: {
    youngBytes: REQUESTS_YOUNG_BYTES,
    mostPercent: REQUESTS_ROOM_PERCENT,
    objectsRoom: REQUESTS_OBJECTS_ROOM_BYTES,
  },
} as const satisfies Readonly<Record<HeapPlan, object>>;

/**
 * Makes V8 collect, from now on, as fits a program that passes buffers on. It counts their memory as part of the heap: beside a
 * small one, it would look through everything after every 10 MB that were read, and most of its time would go there.
 *
 * So the young generation stays small: it is collected often and for little, and takes dead buffers with it, in a
 * receiver also by how much it has let go of; and everything is collected more seldom, by how much objects have grown.
 * Flags, because V8 reads these whenever it plans its next collection; sizes can only be set on Node's command line.
 */
export function planHeapGrowth(plan: HeapPlan): void {
  observed?.disconnect();
  const { youngBytes, mostPercent, objectsRoom } = PLANS[plan];
  let youngGrows = plan === 'sender' || plan === 'events';
  setYoungGrowth(youngGrows ? 2 : 1);
  exposeGc();
  let percent = setRoom(mostPercent);
  let mostObjectBytes: number = objectsRoom;
  const observer = new PerformanceObserver((list) => {
    const heap = getHeapStatistics();
    const young = youngSpace();
    // What is young is not counted among what has grown: it comes and goes.
    const alive = heap.used_heap_size - young.space_used_size;
    const mayGrow =
      young.space_size < youngBytes && !(plan === 'requests' && (!isStarted || isLargeExpected()));
    // What was given back after the start may grow again.
    if (mayGrow !== youngGrows && (plan !== 'sender' || youngGrows)) {
      youngGrows = mayGrow;
      setYoungGrowth(mayGrow ? 2 : 1);
    }
    if (list.getEntries().some(isWhole)) {
      const next = roomBeside(heap, mostPercent);
      // V8 has planned its next collection already, by the room of before: once more it is asked for here.
      const beyond = next < percent ? alive + ROOM_BYTES : Infinity;
      mostObjectBytes = alive < FEW_OBJECTS_BYTES ? alive + objectsRoom : beyond;
      if (next !== percent) percent = setRoom(next);
    } else if (alive > mostObjectBytes) {
      // Asked for once only: the collection may take a while to come.
      mostObjectBytes = Infinity;
      void globalThis.gc?.({ type: 'major', execution: 'async' });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  observed = observer;
}

/** What heeds the plan. */
let observed: PerformanceObserver | undefined;
/** From then on what is young is of requests. */
let isStarted = false;

/**
 * Lets go of what a start has left behind, in some 35 ms: garbage, and what was compiled to run once. Does nothing without
 * {@link planHeapGrowth}.
 */
export function forgetStart(): void {
  isStarted = true;
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** As `node --expose-gc` does; see flow/scavenger.ts. At the first use only, because it takes a context of its own and some 3 ms. */
function exposeGc(): void {
  if (!('gc' in globalThis))
    Object.defineProperty(globalThis, 'gc', { configurable: true, get: takeGc, set: keepGc });
}

function takeGc(): unknown {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  keepGc(gc);
  return gc;
}

function keepGc(value: unknown): void {
  Object.defineProperty(globalThis, 'gc', { configurable: true, writable: true, value });
}

function roomBeside(
  { used_heap_size: heapBytes, external_memory: bufferBytes }: HeapInfo,
  mostPercent: number,
): number {
  const alive = heapBytes + bufferBytes;
  // With more objects than a few nobody asks for a collection by how much they have grown.
  if (alive <= SMALL_BYTES && heapBytes < FEW_OBJECTS_BYTES) return mostPercent;
  return Math.min(mostPercent, Math.max(LEAST_ROOM_PERCENT, Math.round((100 * ROOM_BYTES) / alive)));
}

function youngSpace(): Pick<HeapSpaceInfo, 'space_size' | 'space_used_size'> {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return young ?? { space_size: 0, space_used_size: 0 };
}

function setRoom(percent: number): number {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
  return percent;
}

/**
 * Whether a collection has gone through everything. One that goes bit by bit is told of when it begins, too: what is alive then says nothing
 * of what will be.
 */
function isWhole(collection: object): boolean {
  const detail = 'detail' in collection ? collection.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
