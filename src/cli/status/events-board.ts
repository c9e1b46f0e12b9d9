import type { Parking } from '../../events/parking/parking.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import type { Running } from '../../events/work/work.ts';
import type { WorkTally } from '../../events/work/work-tally.ts';
import { cureOf, setAlarm } from '../../observe/status/alarm-table.ts';
import { countFact } from '../../observe/status/facts.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { formatCount } from '../../observe/units.ts';
import type { LookedAtBoard } from './looked-at-board.ts';
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
  const { count } = parking;
  const now = running();
  setAlarm(
    alarms,
    'QUEUE_GONE',
    '',
    source.isReachable ? undefined : `The queue ${source.where} can't be reached.`,
  );
  setAlarm(
    alarms,
    'PARKED',
    '',
    count === 0
      ? undefined
      : `${formatCount(count, 'record')} could not be worked on and ${count === 1 ? 'waits' : 'wait'} for a person.`,
    cureOf('PARKED', { COMMAND: command }),
  );
  setAlarm(
    alarms,
    'STORE_FULL',
    '',
    now?.isDiskFull === true
      ? 'There is no room, or less than --min-free: what comes can not be written.'
      : undefined,
  );
  setAlarm(
    alarms,
    'EVENTS_WAIT',
    '',
    now?.away && `What events are about, or what they go to, is away: ${now.away.message}`,
  );
}
