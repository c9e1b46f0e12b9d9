import { showAddress } from '../../config/target-address.ts';
import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import type { Device } from '../../receiver/devices/device.ts';
import type { Devices } from '../../receiver/devices/devices.ts';
import { DEFAULT_MAX_CONNECTIONS } from '../../receiver/receiver-limits.ts';
import { countFact } from '../../observe/status/facts.ts';
import type { Column, Fact, Row } from '../../observe/status/report.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { newBoard } from './new-board.ts';
import type { StoreLook } from './store-look.ts';

/** Devices of the table: more than a page shows at once. */
const MAX_ROWS = 1_000;

export interface ReceiveParts {
  readonly config: ReceiveConfig;
  readonly devices: Devices;
  readonly store: StoreLook;
  /** Where it listens; undefined until it does. */
  readonly url: () => string | undefined;
  /** What retention has removed since the start; undefined where it removes nothing. */
  readonly retired: () => { readonly directories: number; readonly bytes: number } | undefined;
  /** When its certificate ends, in ms since 1970; undefined without one. */
  readonly certificateEndsMs: () => number | undefined;
}

/** What is to be seen of a receiver. */
export function receiveBoard(parts: ReceiveParts): StatusBoard {
  const { config, devices, url } = parts;
  const board = newBoard('receive', showAddress(config.store));
  board.activity = () => {
    if (url() === undefined) return 'starting';
    for (const { rate } of devices.all) if (rate >= 1) return 'working';
    return 'idle';
  };
  board.add(() => ({ id: 'store', title: 'Store', facts: storeFacts(parts) }));
  board.add(() => {
    const all = [...devices.all].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const alarmed = new Set(board.alarms.list().map(({ subject }) => subject));
    return {
      id: 'devices',
      title: 'Devices',
      facts: deviceFacts(all),
      table: {
        columns: COLUMNS.map(({ id, label, unit }) => ({ id, label, ...(unit !== undefined && { unit }) })),
        // Those that a person should look at first, where not all have room.
        rows: (all.length > MAX_ROWS
          ? all
              .toSorted((a, b) => Number(alarmed.has(b.name)) - Number(alarmed.has(a.name)))
              .slice(0, MAX_ROWS)
          : all
        ).map((device) => rowOf(device, alarmed.has(device.name))),
        total: all.length,
      },
    };
  });
  return board;
}

function storeFacts({ config, store, url, retired, certificateEndsMs }: ReceiveParts): Fact[] {
  const { immutable, retain, minFree, quota, maxFileSize, maxConnections = DEFAULT_MAX_CONNECTIONS } = config;
  return [
    { id: 'address', label: 'Store', value: showAddress(config.store) },
    { id: 'url', label: 'Listening on', value: url() ?? null },
    { id: 'writable', label: 'Writable', value: store.fault === undefined },
    { id: 'fault', label: 'What is wrong with it', value: store.fault ?? null },
    { id: 'free_bytes', label: 'Free', value: store.space?.freeBytes ?? null, unit: 'bytes' },
    { id: 'size_bytes', label: 'Size', value: store.space?.sizeBytes ?? null, unit: 'bytes' },
    { id: 'min_free', label: 'Kept free', value: minFree ?? null, unit: 'bytes' },
    { id: 'quota', label: 'Quota of a device', value: quota ?? null, unit: 'bytes' },
    { id: 'max_file_size', label: 'Largest file', value: maxFileSize ?? null, unit: 'bytes' },
    countFact('max_connections', 'Most connections', maxConnections),
    { id: 'immutable', label: 'Immutable', value: immutable },
    {
      id: 'retain',
      label: 'Kept after the seal',
      value: retain === undefined ? null : retain / 1000,
      unit: 'seconds',
    },
    countFact('retired', 'Directories retired since start', retired()?.directories ?? null),
    { id: 'tokens', label: 'Tokens', value: config.tokens !== undefined },
    { id: 'certificate_ends', label: 'Certificate ends', value: certificateEndsMs() ?? null, unit: 'time' },
  ];
}

function deviceFacts(all: readonly Device[]): Fact[] {
  const sum = (of: (device: Device) => number): number =>
    all.reduce((total, device) => total + of(device), 0);
  return [
    countFact('known', 'Known', all.length),
    countFact('connected', 'Connected', all.filter(({ connected }) => connected).length),
    { id: 'rate', label: 'Rate', value: Math.round(sum(({ rate }) => rate)), unit: 'bytesPerSecond' },
    countFact(
      'files_today',
      'Files today',
      sum(({ today }) => today.files),
    ),
    { id: 'bytes_today', label: 'Bytes today', value: sum(({ today }) => today.bytes), unit: 'bytes' },
    countFact(
      'files',
      'Files since start',
      sum(({ files }) => files),
    ),
    { id: 'bytes', label: 'Bytes since start', value: sum(({ bytes }) => bytes), unit: 'bytes' },
    countFact(
      'backlog_files',
      'Files that wait',
      sum(({ report }) => report?.files ?? 0),
    ),
    {
      id: 'backlog_bytes',
      label: 'Bytes that wait',
      value: sum(({ report }) => report?.bytes ?? 0),
      unit: 'bytes',
    },
  ];
}

/** What changes by itself with every second is left out: a row that stays as it is costs nothing. */
const COLUMNS: readonly (Column & { readonly of: (device: Device) => Row['cells'][number] })[] = [
  { id: 'device', label: 'Device', of: ({ name }) => name },
  { id: 'state', label: 'State', of: ({ connected }) => (connected ? 'connected' : 'away') },
  {
    id: 'since',
    label: 'Since',
    unit: 'time',
    of: (device) => device.connectedSinceMs ?? (device.seenMs(0) > 0 ? device.seenMs(0) : null),
  },
  { id: 'directory', label: 'Directory', of: ({ directory }) => directory ?? null },
  { id: 'rate', label: 'Rate', unit: 'bytesPerSecond', of: ({ rate }) => Math.round(rate) },
  { id: 'files_today', label: 'Files today', unit: 'count', of: ({ today }) => today.files },
  { id: 'bytes_today', label: 'Bytes today', unit: 'bytes', of: ({ today }) => today.bytes },
  { id: 'backlog_files', label: 'Files that wait', unit: 'count', of: ({ report }) => report?.files ?? null },
  { id: 'backlog_bytes', label: 'Bytes that wait', unit: 'bytes', of: ({ report }) => report?.bytes ?? null },
  { id: 'oldest_unsent', label: 'Oldest waits since', unit: 'time', of: ({ oldestMs }) => oldestMs ?? null },
  { id: 'sealed', label: 'Sealed', unit: 'count', of: ({ report }) => report?.sealed ?? null },
  { id: 'unsealed', label: 'Not sealed', unit: 'count', of: ({ report }) => report?.unsealed ?? null },
  { id: 'problems', label: 'Problems', unit: 'count', of: ({ report }) => report?.problemCount ?? null },
  { id: 'last_file', label: 'Last file', unit: 'time', of: ({ fileMs }) => fileMs ?? null },
  { id: 'address', label: 'Address', of: ({ address }) => address },
  { id: 'software', label: 'Software', of: ({ software }) => software },
];

function rowOf(device: Device, alarmed: boolean): Row {
  return {
    key: device.name,
    cells: COLUMNS.map(({ of }) => of(device)),
    ...(alarmed && { alarmed }),
  };
}
