import { networkOf } from '../../http/network-of.ts';
import type { DeviceReport } from '../../protocol/report.ts';
import { Device, type DayCount, type DeviceFacts } from './device.ts';
import type { DeviceWatch, SessionStart, SessionWatch } from './device-watch.ts';

/** Devices known at a time; beyond, those that are longest gone are forgotten. About 2 kB each, 5 kB with problems. */
export const MAX_DEVICES = 5_000;
/** Addresses remembered from which somebody came who was not let in and is no device that is known. */
const MAX_STRANGERS = 50;
/** For how long a refusal counts as one of now, in ms: a sender that gave up and is started again comes sooner. */
const REFUSED_MS = 3600 * 1000;
/** For how long one for want of room does, in ms: a device that waits for room tries every 30 s. */
const FULL_MS = 5 * 60 * 1000;
/** Longest text of a device that is kept, in characters. */
const MAX_TEXT = 100;

export interface Stranger {
  readonly reason: string;
  readonly atMs: number;
  readonly tries: number;
}

/** What a receiver knows of its devices. Bounded, whatever devices do; costs a few additions a file. */
export class Devices implements DeviceWatch {
  readonly #devices = new Map<string, Device>();
  readonly #strangers = new Map<string, Stranger>();
  readonly #now: () => number;

  /** @param now ms since 1970 */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** In no order. */
  get all(): Iterable<Device> {
    return this.#devices.values();
  }

  get size(): number {
    return this.#devices.size;
  }

  /** By address: those that were refused lately and are no device that is known. */
  get strangers(): ReadonlyMap<string, Stranger> {
    return this.#strangers;
  }

  opened({ device: name, mode, address, software }: SessionStart): SessionWatch {
    const device = this.#device(name);
    this.#strangers.delete(address);
    if (mode === 'read') {
      device.seen(this.#now());
      device.refused = undefined;
      return {
        kept: () => undefined,
        reported: () => undefined,
        sealed: () => undefined,
        ended: () => device.seen(this.#now()),
      };
    }
    device.opened(address.slice(0, MAX_TEXT), software.slice(0, MAX_TEXT).toWellFormed(), this.#now());
    return {
      kept: (path, bytes) => device.kept(path, bytes, this.#now()),
      sealed: () => undefined,
      reported: (report: DeviceReport) => device.reported(report, this.#now()),
      ended: () => device.ended(this.#now()),
    };
  }

  refused(name: string | undefined, address: string, reason: string): void {
    const atMs = this.#now();
    const device = name === undefined ? this.#refusedAt(address) : this.#devices.get(name);
    if (device !== undefined) {
      device.refused = { reason, atMs };
      return;
    }
    // Whoever has many addresses has them in one network.
    const from = networkOf(address);
    const tries = (this.#strangers.get(from)?.tries ?? 0) + 1;
    this.#strangers.delete(from);
    this.#strangers.set(from, { reason, atMs, tries });
    const [oldest] = this.#strangers.keys();
    if (this.#strangers.size > MAX_STRANGERS && oldest !== undefined) this.#strangers.delete(oldest);
  }

  full(name: string, reason: string | undefined): void {
    const device = this.#devices.get(name);
    if (device !== undefined) device.full = reason === undefined ? undefined : { reason, atMs: this.#now() };
  }

  /** Takes what was kept of a device, and what this receiver itself had counted today before it was started. */
  learn(name: string, facts: DeviceFacts, today?: DayCount): void {
    const isNew = !this.#devices.has(name);
    if (isNew && this.#devices.size >= MAX_DEVICES) return;
    const device = this.#devices.get(name) ?? new Device(name, 0);
    this.#devices.set(name, device);
    device.learn(facts);
    if (today !== undefined) device.countedBefore(today, this.#now());
  }

  forget(name: string): void {
    if (this.#devices.get(name)?.connected === false) this.#devices.delete(name);
  }

  /** To be called every few seconds: measures rates, and lets go of what is no longer so. */
  tick(): void {
    const nowMs = this.#now();
    for (const device of this.#devices.values()) {
      device.measure(nowMs);
      if (device.full !== undefined && nowMs - device.full.atMs > FULL_MS) device.full = undefined;
      if (device.refused !== undefined && nowMs - device.refused.atMs > REFUSED_MS)
        device.refused = undefined;
    }
    for (const [address, { atMs }] of this.#strangers)
      if (nowMs - atMs > REFUSED_MS) this.#strangers.delete(address);
  }

  /** The device that was refused there before: a token that is no longer known tells nothing of its device. */
  #refusedAt(address: string): Device | undefined {
    for (const device of this.#devices.values())
      if (device.refused !== undefined && device.address === address) return device;
    return undefined;
  }

  #device(name: string): Device {
    const known = this.#devices.get(name);
    if (known !== undefined) return known;
    if (this.#devices.size >= MAX_DEVICES) this.#forgetLongestGone();
    const device = new Device(name, this.#now());
    this.#devices.set(name, device);
    return device;
  }

  #forgetLongestGone(): void {
    const nowMs = this.#now();
    let gone: Device | undefined;
    for (const device of this.#devices.values())
      if (!device.connected && device.seenMs(nowMs) < (gone?.seenMs(nowMs) ?? Infinity)) gone = device;
    if (gone !== undefined) this.#devices.delete(gone.name);
  }
}
