import { createHash } from 'node:crypto';
import { isDeviceName } from '../../model/device-name.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { isNoteName, type NoteName, type StoreNotes } from '../../store/store-notes.ts';
import { dayOf, type DayCount, type DeviceFacts, type KeptReport } from './device.ts';
import type { Devices } from './devices.ts';

/** How often it is written while something changes, in ms: a crash loses no more of it. */
const WRITE_MS = 5 * 60 * 1000;
/** How often what other receivers of the store know is read, in ms. */
const READ_MS = 5 * 60 * 1000;
/** A note of a receiver that has written none for this long is removed, in ms: what it knew others have in theirs. */
const GONE_MS = 7 * 24 * 3600 * 1000;
const PREFIX = 'devices-';
const VERSION = 1;
/** Longest text that is read of a note, in characters. */
const MAX_TEXT = 300;

export interface DeviceNotesOptions {
  readonly notes: StoreNotes;
  readonly devices: Devices;
  /** Tells this receiver from others of the store, and stays over restarts: host name and address. */
  readonly receiver: string;
  readonly log: Log;
}

/**
 * Keeps in the store what a receiver knows of its devices, so that it knows them after a restart. Each receiver of a store
 * writes a note of its own and reads those of all, so that none destroys what another knows. What fails is told once in the
 * log, and tried again: nothing depends on it.
 */
export class DeviceNotes implements AsyncDisposable {
  readonly #options: DeviceNotesOptions;
  readonly #name: NoteName;
  #written = '';
  #turn: Promise<void>;
  #timer: NodeJS.Timeout;
  #told = false;

  constructor(options: DeviceNotesOptions) {
    this.#options = options;
    this.#name = noteNameOf(options.receiver);
    this.#turn = this.#read(true);
    this.#timer = setInterval(
      () => {
        this.#turn = this.#turn.then(() => this.#exchange());
      },
      Math.min(WRITE_MS, READ_MS),
    ).unref();
  }

  /** Resolves when what was kept has been read, or can't be. */
  async ready(): Promise<void> {
    await this.#turn;
  }

  /** Writes what has changed since. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#turn;
    await this.#write();
  }

  async #exchange(): Promise<void> {
    await this.#read(false);
    await this.#write();
  }

  async #write(): Promise<void> {
    const { devices, notes } = this.#options;
    const nowMs = Date.now();
    const kept = [...devices.all].map((device) => [
      device.name,
      { ...device.facts(nowMs), ...(device.today.files > 0 && { today: device.today }) },
    ]);
    const content = JSON.stringify(Object.fromEntries(kept));
    if (content === this.#written || kept.length === 0) return;
    await this.#guarded(async () => {
      await notes.write(
        this.#name,
        Buffer.from(`{"version":${VERSION},"atMs":${nowMs},"devices":${content}}\n`),
      );
      this.#written = content;
    });
  }

  async #read(first: boolean): Promise<void> {
    const { notes } = this.#options;
    await this.#guarded(async () => {
      for (const name of await notes.list()) {
        if (!name.startsWith(PREFIX) || (name === this.#name && !first)) continue;
        const bytes = await notes.read(name);
        const note = bytes && parseNote(bytes);
        if (note === undefined) continue;
        this.#learn(note, name === this.#name);
        if (name !== this.#name && Date.now() - note.atMs > GONE_MS) await notes.remove(name);
      }
    });
  }

  #learn({ devices: kept }: Note, isOwn: boolean): void {
    const { devices } = this.#options;
    const today = dayOf(Date.now());
    for (const [name, { facts, today: count }] of kept)
      devices.learn(name, facts, count?.day === today && isOwn ? count : undefined);
  }

  async #guarded(step: () => Promise<void>): Promise<void> {
    try {
      await step();
      this.#told = false;
    } catch (thrown) {
      const { code, message } = toIsyncError(thrown, 'STORE_FAILED');
      this.#options.log[this.#told ? 'debug' : 'warn'](
        'what is known of devices could not be kept in the store',
        {
          code,
          reason: message,
        },
      );
      this.#told = true;
    }
  }
}

function noteNameOf(receiver: string): NoteName {
  const name = `${PREFIX}${createHash('sha256').update(receiver).digest('hex').slice(0, 32)}`;
  if (!isNoteName(name)) throw new TypeError('no name of a note');
  return name;
}

interface Note {
  readonly atMs: number;
  readonly devices: ReadonlyMap<
    string,
    { readonly facts: DeviceFacts; readonly today: DayCount | undefined }
  >;
}

/** Undefined where it is none of ours; devices that make no sense are left out: whoever writes to a bucket writes to it. */
function parseNote(bytes: Buffer): Note | undefined {
  const note = parseJson(bytes);
  if (!isFields(note) || note['version'] !== VERSION || !isFields(note['devices'])) return undefined;
  const devices = new Map<string, { facts: DeviceFacts; today: DayCount | undefined }>();
  for (const [name, fields] of Object.entries(note['devices'])) {
    const facts = isDeviceName(name) && isFields(fields) ? parseFacts(fields) : undefined;
    if (facts !== undefined && isFields(fields))
      devices.set(name, { facts, today: parseDay(fields['today']) });
  }
  return { atMs: numberOf(note['atMs']) ?? 0, devices };
}

function parseFacts(fields: Fields): DeviceFacts | undefined {
  const seenMs = numberOf(fields['seenMs']);
  if (seenMs === undefined) return undefined;
  return {
    // A clock that was ahead must not make a device look alive for years.
    seenMs: Math.min(seenMs, Date.now()),
    fileMs: numberOf(fields['fileMs']),
    address: textOf(fields['address']) ?? '',
    software: textOf(fields['software']) ?? '',
    directory: textOf(fields['directory']),
    report: parseKeptReport(fields['report']),
  };
}

function parseKeptReport(value: unknown): KeptReport | undefined {
  if (!isFields(value)) return undefined;
  const [atMs, files, bytes, sealed, unsealed, problemCount] = [
    numberOf(value['atMs']),
    numberOf(value['files']),
    numberOf(value['bytes']),
    numberOf(value['sealed']),
    numberOf(value['unsealed']),
    numberOf(value['problemCount']),
  ];
  if (
    atMs === undefined ||
    files === undefined ||
    bytes === undefined ||
    sealed === undefined ||
    unsealed === undefined ||
    problemCount === undefined
  )
    return undefined;
  return {
    atMs: Math.min(atMs, Date.now()),
    files,
    bytes,
    oldestSeconds: numberOf(value['oldestSeconds']),
    sealed,
    unsealed,
    problemCount,
  };
}

function parseDay(value: unknown): DayCount | undefined {
  if (!isFields(value)) return undefined;
  const [day, files, bytes] = [textOf(value['day']), numberOf(value['files']), numberOf(value['bytes'])];
  return day === undefined || files === undefined || bytes === undefined ? undefined : { day, files, bytes };
}

type Fields = Readonly<Record<string, unknown>>;

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : undefined;
}
