import type { DeviceReport } from '../../protocol/report.ts';

/** How much of the last measure of the rate is kept at the next one. */
const RATE_INERTIA = 0.5;
/** Shortest time over which a rate is measured, in ms. */
const MIN_RATE_MS = 1_000;

/** Files and bytes kept on one day of this machine's calendar. */
export interface DayCount {
  readonly day: string;
  files: number;
  bytes: number;
}

/** What is kept of a device when the receiver ends. Times are in ms since 1970. */
export interface DeviceFacts {
  /** When it was last connected. */
  readonly seenMs: number;
  /** When its last file was kept. */
  readonly fileMs: number | undefined;
  readonly address: string;
  readonly software: string;
  readonly directory: string | undefined;
  readonly report: KeptReport | undefined;
}

/** The numbers of a report, and when it came. */
export interface KeptReport {
  readonly atMs: number;
  readonly files: number;
  readonly bytes: number;
  readonly oldestSeconds: number | undefined;
  readonly sealed: number;
  readonly unsealed: number;
  readonly problemCount: number;
}

/** What a receiver knows of one device. Counts are of this process, but for those of today. */
export class Device {
  readonly name: string;
  files = 0;
  bytes = 0;
  today: DayCount;
  /** Of write sessions that are open now, when the first of them began, in ms since 1970; undefined where none is. */
  connectedSinceMs: number | undefined;
  address = '';
  software = '';
  fileMs: number | undefined;
  report: KeptReport | undefined;
  problems: DeviceReport['problems'] = [];
  /** Bytes a second of late. */
  rate = 0;
  /** Why the store has no room for its files, and when it said so last. */
  full: { readonly reason: string; readonly atMs: number } | undefined;
  /** Why it was not let in, and when. */
  refused: { readonly reason: string; readonly atMs: number } | undefined;
  #seenMs: number;
  #sessions = 0;
  #path = '';
  #directory: string | undefined;
  #ratedBytes = 0;
  #ratedMs: number;

  constructor(name: string, nowMs: number) {
    this.name = name;
    this.#seenMs = nowMs;
    this.#ratedMs = nowMs;
    this.today = { day: dayOf(nowMs), files: 0, bytes: 0 };
  }

  get connected(): boolean {
    return this.#sessions > 0;
  }

  seenMs(nowMs: number): number {
    return this.connected ? nowMs : this.#seenMs;
  }

  /** The directory of the last file, or the one that the device says it fills. */
  get directory(): string | undefined {
    return this.#path === '' ? this.#directory : this.#path.slice(0, this.#path.indexOf('/'));
  }

  opened(address: string, software: string, nowMs: number): void {
    this.address = address;
    this.software = software;
    this.refused = undefined;
    if (this.#sessions++ === 0) this.connectedSinceMs = nowMs;
  }

  ended(nowMs: number): void {
    if (--this.#sessions > 0) return;
    this.connectedSinceMs = undefined;
    this.#seenMs = nowMs;
  }

  /** A sign of life without a session that writes. */
  seen(nowMs: number): void {
    this.#seenMs = Math.max(this.#seenMs, nowMs);
  }

  kept(path: string, bytes: number, nowMs: number): void {
    this.files++;
    this.bytes += bytes;
    this.fileMs = nowMs;
    this.#path = path;
    this.#turnDay(nowMs);
    this.today.files++;
    this.today.bytes += bytes;
  }

  reported({ problems, directory, ...report }: DeviceReport, nowMs: number): void {
    const { files, bytes, oldestSeconds, sealed, unsealed, problemCount } = report;
    this.report = { atMs: nowMs, files, bytes, oldestSeconds, sealed, unsealed, problemCount };
    this.problems = problems;
    if (directory !== undefined) {
      this.#directory = directory;
      this.#path = '';
    }
  }

  /** Since when its oldest file waits, in ms since 1970. */
  get oldestMs(): number | undefined {
    const { report } = this;
    return report?.oldestSeconds === undefined ? undefined : report.atMs - report.oldestSeconds * 1000;
  }

  /** For how long its oldest file has waited, in seconds: it goes on waiting while nothing is heard. */
  oldestSeconds(nowMs: number): number | undefined {
    const { report } = this;
    if (report?.oldestSeconds === undefined) return undefined;
    return report.oldestSeconds + Math.max(0, nowMs - report.atMs) / 1000;
  }

  /** To be called every few seconds. */
  measure(nowMs: number): void {
    this.#turnDay(nowMs);
    const elapsedMs = nowMs - this.#ratedMs;
    if (elapsedMs < MIN_RATE_MS) return;
    const rate = ((this.bytes - this.#ratedBytes) * 1000) / elapsedMs;
    this.rate = rate === 0 && this.rate < 1 ? 0 : this.rate * RATE_INERTIA + rate * (1 - RATE_INERTIA);
    this.#ratedBytes = this.bytes;
    this.#ratedMs = nowMs;
  }

  facts(nowMs: number): DeviceFacts {
    const { fileMs, address, software, directory, report } = this;
    return { seenMs: this.seenMs(nowMs), fileMs, address, software, directory, report };
  }

  /** Takes what another process knew, where that is newer than what is known here. Returns whether it was. */
  learn(facts: DeviceFacts): boolean {
    if (this.connected || facts.seenMs <= this.#seenMs) return false;
    this.#seenMs = facts.seenMs;
    this.fileMs = later(this.fileMs, facts.fileMs);
    this.address = facts.address;
    this.software = facts.software;
    this.#directory = facts.directory;
    this.#path = '';
    if (facts.report !== undefined && facts.report.atMs > (this.report?.atMs ?? 0)) {
      this.report = facts.report;
      this.problems = [];
    }
    return true;
  }

  /** What was counted on the same day before. */
  countedBefore({ day, files, bytes }: DayCount, nowMs: number): void {
    this.#turnDay(nowMs);
    if (day !== this.today.day) return;
    this.today.files += files;
    this.today.bytes += bytes;
  }

  #turnDay(nowMs: number): void {
    const day = dayOf(nowMs);
    if (day !== this.today.day) this.today = { day, files: 0, bytes: 0 };
  }
}

let dayEndMs = 0;
let dayStartMs = 0;
let currentDay = '';

/** `2026-11-26`, by this machine's calendar. */
export function dayOf(nowMs: number): string {
  if (nowMs < dayStartMs || nowMs >= dayEndMs) {
    const date = new Date(nowMs);
    dayStartMs = new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
    dayEndMs = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
    const digits = (n: number): string => String(n).padStart(2, '0');
    currentDay = `${date.getFullYear()}-${digits(date.getMonth() + 1)}-${digits(date.getDate())}`;
  }
  return currentDay;
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
