import type { Parking } from '../../events/parking/parking.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import type { Running } from '../../events/work/work.ts';
import type { WorkTally } from '../../events/work/work-tally.ts';
import { countFact } from '../../observe/status/facts.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { formatCount } from '../../observe/units.ts';
import { newBoard } from './new-board.ts';

/** What there is to see of work on events. */
export interface WatchedEvents {
  readonly source: Pick<EventSource, 'where' | 'isReachable' | 'inHand'>;
  readonly parking: Pick<Parking, 'count'>;
  /** Undefined where this process does not work on events itself. */
  readonly tally: Pick<WorkTally, 'summary'> | undefined;
  /** Undefined where nothing has begun. */
  readonly running: () => Pick<Running, 'isDiskFull' | 'away'> | undefined;
  readonly signal: AbortSignal;
}

export interface LookedAtBoard {
  readonly board: StatusBoard;
  /** Raises and clears its alarms. */
  readonly look: () => void | Promise<void>;
}

/** The board of `pull`, and the beginning of that of `webhook`. */
export function eventsBoard(command: 'pull' | 'webhook', watched: WatchedEvents): LookedAtBoard {
  const { source, tally, running, signal } = watched;
  const board = newBoard(command, source.where);
  board.activity = () => {
    if (signal.aborted) return 'stopping';
    if (tally !== undefined && running() === undefined) return 'starting';
    if (running()?.isDiskFull === true) return 'target full';
    if (!source.isReachable || running()?.away !== undefined) return 'waiting for link';
    return source.inHand > 0 ? 'working' : 'idle';
  };
  board.add(() => ({
    id: 'queue',
    title: 'Queue',
    facts: [
      { id: 'where', label: 'Queue', value: source.where },
      { id: 'reachable', label: 'Can be reached', value: source.isReachable },
      { id: 'in_hand', label: 'Messages in hand', value: source.inHand, unit: 'count' },
      { id: 'parked', label: 'Parked records', value: watched.parking.count, unit: 'count' },
    ],
  }));
  if (tally !== undefined) addWork(board, tally);
  return { board, look: () => look(command, board, watched) };
}

function addWork(board: StatusBoard, tally: Pick<WorkTally, 'summary'>): void {
  const rate = rateWindow(() => tally.summary.bytes);
  board.add(() => {
    const { received, written, removed, unchanged, done, retries, released, bytes } = tally.summary;
    return {
      id: 'events',
      title: 'Events',
      facts: [
        { id: 'rate', label: 'Rate', value: rate(), unit: 'bytesPerSecond' },
        { id: 'bytes', label: 'Bytes written', value: bytes, unit: 'bytes' },
        countFact('received', 'Records received', received),
        countFact('written', 'Files written', written),
        countFact('removed', 'Files removed', removed),
        countFact('unchanged', 'Unchanged', unchanged),
        countFact('done', 'Actions done', done),
        countFact('retries', 'Tried again', retries),
        countFact('released', 'Given back', released),
      ],
    };
  });
}

function look(command: string, { alarms }: StatusBoard, { source, parking, running }: WatchedEvents): void {
  alarms.set(
    'QUEUE_GONE',
    '',
    source.isReachable
      ? undefined
      : {
          severity: 'critical',
          text: `The queue ${source.where} can't be reached.`,
          cure: 'Is it up, and are credentials and network as they should be? It is tried again by itself; the log says why it fails.',
        },
  );
  alarms.set(
    'PARKED',
    '',
    parking.count === 0
      ? undefined
      : {
          severity: 'warning',
          text: `${formatCount(parking.count, 'record')} could not be worked on and ${parking.count === 1 ? 'waits' : 'wait'} for a person.`,
          cure: `"isync ${command} parked list" says why. Mend the reason, then "parked replay", or "parked drop".`,
        },
  );
  const now = running();
  alarms.set(
    'STORE_FULL',
    '',
    now?.isDiskFull !== true
      ? undefined
      : {
          severity: 'critical',
          text: 'There is no room: what comes can not be written.',
          cure: 'Free room on the disk, or lower --min-free. Work goes on by itself then; nothing is lost meanwhile.',
        },
  );
  alarms.set(
    'TARGET_GONE',
    '',
    now?.away === undefined
      ? undefined
      : {
          severity: 'critical',
          text: `What events are about, or what they go to, is away: ${now.away.message}`,
          cure: 'Bring it back. It is tried again by itself, and the events wait.',
        },
  );
}
