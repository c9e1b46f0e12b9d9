import type { FillsState } from '../../mirror/fill/fills.ts';
import { setAlarm } from '../../observe/status/alarm-table.ts';
import { countFact } from '../../observe/status/facts.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { LookedAtBoard } from './looked-at-board.ts';
import type { MirrorTally } from './mirror-tally.ts';
import { newBoard } from './new-board.ts';

/** How often the bucket is asked whether it is there, in ms: each time is a request that its owner pays for. */
const BUCKET_LOOK_MS = 30_000;

export interface WatchedMirror {
  /** Without secrets. */
  readonly bucket: string;
  readonly state: () => FillsState;
  readonly tally: MirrorTally;
  /** Why the bucket can't be used; undefined where it can. */
  readonly check: () => Promise<string | undefined>;
  readonly signal: AbortSignal;
}

export function mirrorBoard({ bucket, state, tally, check, signal }: WatchedMirror): LookedAtBoard {
  const board = newBoard('mirror', bucket);
  const { alarms } = board;
  const rate = rateWindow(() => tally.bytes);
  let fault: string | undefined;
  let checkedMs = -Infinity;
  board.activity = () => {
    if (signal.aborted) return 'stopping';
    if (fault !== undefined) return 'waiting for link';
    return state().fills > 0 || (rate() ?? 0) > 0 ? 'working' : 'idle';
  };
  board.add(() => ({
    id: 'requests',
    title: 'Requests',
    facts: [
      { id: 'rate', label: 'Rate', value: rate(), unit: 'bytesPerSecond' },
      countFact('requests', 'Requests', tally.requests),
      countFact('failed', 'Failed (5xx)', tally.failed),
      { id: 'bytes', label: 'Bytes sent', value: tally.bytes, unit: 'bytes' },
    ],
  }));
  board.add(() => {
    const { fills, waiting, spoolBytes } = state();
    return {
      id: 'fills',
      title: 'Fills',
      facts: [
        countFact('under_way', 'Under way', fills),
        countFact('waiting', 'Requests that wait', waiting),
        countFact('kept', 'Objects kept', tally.kept),
        { id: 'kept_bytes', label: 'Bytes kept', value: tally.keptBytes, unit: 'bytes' },
        countFact('failed', 'Failed', tally.failedFills),
        { id: 'spool', label: 'In the spool', value: spoolBytes, unit: 'bytes' },
      ],
    };
  });
  board.add(() => {
    const rows = state().breakers.map(({ origin, isOpen }) => ({
      key: origin,
      cells: [origin, !isOpen],
      alarmed: isOpen,
    }));
    return {
      id: 'origins',
      title: 'Origins',
      facts: [],
      table: {
        columns: [
          { id: 'origin', label: 'Origin' },
          { id: 'answers', label: 'Answers' },
        ],
        rows,
        total: rows.length,
      },
    };
  });
  const look = async (): Promise<void> => {
    for (const { origin, isOpen } of state().breakers)
      setAlarm(
        alarms,
        'ORIGIN_GONE',
        origin,
        isOpen ? `The origin ${origin} fails and is left alone for a while.` : undefined,
      );
    if (signal.aborted || performance.now() - checkedMs < BUCKET_LOOK_MS) return;
    checkedMs = performance.now();
    fault = await check();
    setAlarm(
      alarms,
      'STORE_GONE',
      bucket,
      fault === undefined ? undefined : `The bucket can't be used: ${fault}`,
    );
  };
  return { board, look };
}
