import type { SenderConfig } from '../../config/schemas/sender.ts';
import { showAddress, type TargetAddress } from '../../config/target-address.ts';
import type { Activity, Fact, Row } from '../../observe/status/report.ts';
import { countFact } from '../../observe/status/facts.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import type { DirectoryView, ScanView } from '../../sender/scan/scan-view.ts';
import { NOTHING_WAITS, type Waiting } from '../../sender/scan/waiting-files.ts';
import type { LinkWatch } from './link-watch.ts';
import { newBoard } from './new-board.ts';

/** Directories of the table: more than anyone reads. */
const MAX_DIRECTORIES = 200;
/** Files of the table of what is on its way. */
const MAX_IN_FLIGHT = 20;

export interface ScanParts {
  readonly config: Pick<SenderConfig, 'root' | 'device'> & { readonly to: TargetAddress };
  readonly link: LinkWatch;
  /** Bytes that have left, those that were sent again too. */
  readonly sentBytes: () => number;
  /** Undefined until the scan has begun. */
  readonly view: () => ScanView | undefined;
}

/** What is to be seen of a scan. */
export function scanBoard(parts: ScanParts): StatusBoard {
  const { config, link, view } = parts;
  const board = newBoard('scan', `${config.root} → ${showAddress(config.to)} (${config.device})`);
  const rate = rateWindow(parts.sentBytes);
  board.activity = () => activityOf(link, view());
  board.add(() => {
    const seen = view();
    const waiting = seen?.waiting ?? NOTHING_WAITS;
    return {
      id: 'sent',
      title: 'Sent',
      facts: [
        { id: 'rate', label: 'Rate', value: rate(), unit: 'bytesPerSecond' },
        countFact('files', 'Files since start', seen?.files ?? 0),
        { id: 'bytes', label: 'Bytes since start', value: seen?.bytes ?? 0, unit: 'bytes' },
        countFact('backlog_files', 'Files that wait', waiting.files),
        { id: 'backlog_bytes', label: 'Bytes that wait', value: waiting.bytes, unit: 'bytes' },
        { id: 'oldest_unsent', label: 'Oldest waits since', value: oldestOf(waiting), unit: 'time' },
        countFact('problems', 'Problems', seen?.problemCount ?? 0),
      ],
    };
  });
  board.add(() => ({ id: 'link', title: 'Link', facts: linkFacts(parts) }));
  board.add(() => {
    const unsealed = view()?.unsealed ?? [];
    return {
      id: 'directories',
      title: 'Directories',
      facts: [
        countFact('sealed', 'Sealed', view()?.sealed ?? 0),
        countFact('unsealed', 'Not sealed', unsealed.length),
        {
          id: 'active',
          label: 'Being filled',
          value: unsealed.find(({ state }) => state === 'active')?.name ?? null,
        },
      ],
      table: {
        columns: [
          { id: 'directory', label: 'Directory' },
          { id: 'state', label: 'State' },
          { id: 'files', label: 'Files that wait', unit: 'count' },
          { id: 'bytes', label: 'Bytes that wait', unit: 'bytes' },
          { id: 'last_write', label: 'Last write', unit: 'time' },
          { id: 'problems', label: 'Problems', unit: 'count' },
        ],
        // The newest are what is going on.
        rows: unsealed.slice(-MAX_DIRECTORIES).toReversed().map(rowOf),
        total: unsealed.length,
      },
    };
  });
  board.add(() => {
    const files = view()?.inFlight(MAX_IN_FLIGHT + 1) ?? [];
    return {
      id: 'in_flight',
      title: 'On its way',
      facts: [],
      table: {
        columns: [
          { id: 'path', label: 'File' },
          { id: 'bytes', label: 'Bytes', unit: 'bytes' },
        ],
        rows: files.slice(0, MAX_IN_FLIGHT).map(({ path, size }) => ({ key: path, cells: [path, size] })),
        total: files.length,
      },
    };
  });
  return board;
}

function activityOf(link: LinkWatch, view: ScanView | undefined): Activity {
  if (!link.isUp) return 'waiting for link';
  if (view === undefined) return 'starting';
  if (link.isFull) return 'target full';
  return view.waiting.files > 0 ? 'working' : 'idle';
}

function linkFacts({ config, link }: ScanParts): Fact[] {
  const { peer, lastError, nextTryMs } = link;
  return [
    { id: 'to', label: 'To', value: showAddress(config.to) },
    { id: 'up', label: 'Up', value: link.isUp },
    { id: 'since', label: link.isUp ? 'Up since' : 'Down since', value: link.sinceMs, unit: 'time' },
    { id: 'next_try', label: 'Next try', value: nextTryMs ?? null, unit: 'time' },
    {
      id: 'last_error',
      label: 'Last error',
      value: lastError === undefined ? null : `${lastError.error.message} [${lastError.error.code}]`,
    },
    { id: 'last_error_at', label: 'Last error at', value: lastError?.atMs ?? null, unit: 'time' },
    { id: 'peer', label: 'Receiver', value: peer?.software ?? null },
    {
      id: 'certificate_ends',
      label: 'Its certificate ends',
      value: peer?.certificateEndsMs ?? null,
      unit: 'time',
    },
  ];
}

function rowOf({ name, state, waiting, lastWriteMs, problems }: DirectoryView): Row {
  return {
    key: name,
    cells: [
      name,
      state,
      waiting.files,
      waiting.bytes,
      lastWriteMs === 0 ? null : Math.round(lastWriteMs),
      problems,
    ],
    ...(problems > 0 && { alarmed: true }),
  };
}

function oldestOf({ oldestMs }: Waiting): number | null {
  return oldestMs === undefined ? null : Math.round(oldestMs);
}
