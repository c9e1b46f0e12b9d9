import type { IsyncError } from '../../model/isync-error.ts';
import { factsOf } from '../../model/error-table.ts';
import { alarmOf } from '../../observe/status/alarm-table.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { formatSeconds } from '../../observe/units.ts';
import type { LinkState, PeerFacts } from '../../sender/ws/ws-target-options.ts';
import type { TargetWatch } from '../own-target.ts';

/** A link may be gone for so long without an alarm, in ms: a restart of the receiver. */
const GONE_MS = 30_000;
/** What is refused is tried again every 30 s: after this long without another refusal, in ms, it is over. */
const REFUSED_MS = 90_000;

export interface LastError {
  readonly error: IsyncError;
  readonly atMs: number;
}

interface Refusal extends LastError {
  readonly sinceMs: number;
}

/** What a sender knows of the way to its target. Times are in ms since 1970. */
export class LinkWatch implements TargetWatch {
  readonly #where: string;
  /** Whether a link stands and falls; a folder or a bucket has none. */
  readonly #hasLink: boolean;
  readonly #refusals = new Map<string, Refusal>();
  #state: LinkState = 'connecting';
  #sinceMs = Date.now();
  #peer: PeerFacts | undefined;
  #lastError: LastError | undefined;
  #nextTryMs: number | undefined;
  #final: IsyncError | undefined;

  /** @param where what messages call the target */
  constructor(where: string, hasLink: boolean) {
    this.#where = where;
    this.#hasLink = hasLink;
  }

  get hasLink(): boolean {
    return this.#hasLink;
  }

  get isUp(): boolean {
    return this.#hasLink ? this.#state === 'connected' : this.#unreachable() === undefined;
  }

  /** Since when it is up or down. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get peer(): PeerFacts | undefined {
    return this.#peer;
  }

  get lastError(): LastError | undefined {
    return this.#lastError;
  }

  /** When it is tried again to connect; undefined while there is a link, or a try. */
  get nextTryMs(): number | undefined {
    return this.#nextTryMs;
  }

  get isFull(): boolean {
    this.#forgetOld();
    return this.#refusals.has('STORE_FULL');
  }

  link(state: LinkState, error?: IsyncError): void {
    const wasUp = this.#state === 'connected';
    this.#state = state;
    this.#nextTryMs = undefined;
    if (wasUp !== (state === 'connected')) this.#sinceMs = Date.now();
    if (error !== undefined) this.#lastError = { error, atMs: Date.now() };
  }

  peerMet(peer: PeerFacts): void {
    this.#peer = peer;
  }

  delay(ms: number): void {
    this.#nextTryMs = Date.now() + ms;
  }

  refused(error: IsyncError): void {
    const atMs = Date.now();
    const sinceMs = this.#refusals.get(error.code)?.sinceMs ?? atMs;
    this.#refusals.set(error.code, { error, atMs, sinceMs });
    this.#lastError = { error, atMs };
  }

  /** It has refused us for good. */
  refusedForGood(error: IsyncError): void {
    this.#final = error;
    this.#lastError = { error, atMs: Date.now() };
  }

  /** Another try to open the target begins, or nothing is tried for a while: what was refused for good may be given now. */
  beganAnew(): void {
    this.#final = undefined;
    this.link('connecting');
  }

  /** A file is at the target. */
  transferred(): void {
    for (const code of this.#refusals.keys()) if (code !== 'STORE_FULL') this.#refusals.delete(code);
  }

  /** Why nothing can be sent now; undefined where it can. */
  notReady(): string | undefined {
    if (this.isUp) return undefined;
    return `no link to ${this.#where}`;
  }

  *alarms(): Generator<RaisedAlarm> {
    const nowMs = Date.now();
    if (this.#final !== undefined) yield ofError(this.#final);
    if (this.#hasLink && !this.isUp && nowMs - this.#sinceMs >= GONE_MS)
      yield gone(this.#where, nowMs - this.#sinceMs, this.#lastError?.error);
    this.#forgetOld();
    const unreachable = this.#unreachable();
    if (unreachable !== undefined && nowMs - unreachable.sinceMs >= GONE_MS)
      yield gone(this.#where, nowMs - unreachable.sinceMs, unreachable.error);
    for (const { error } of this.#refusals.values())
      if (error.code === 'STORE_FULL' || (!isUnreachable(error) && factsOf(error.code).concerns === 'peer'))
        yield ofError(error);
  }

  #unreachable(): Refusal | undefined {
    for (const refusal of this.#refusals.values()) if (isUnreachable(refusal.error)) return refusal;
    return undefined;
  }

  #forgetOld(): void {
    const nowMs = Date.now();
    for (const [code, { atMs }] of this.#refusals) if (nowMs - atMs > REFUSED_MS) this.#refusals.delete(code);
  }
}

function isUnreachable({ code }: IsyncError): boolean {
  return code === 'UNREACHABLE' || code === 'LINK_LOST';
}

function gone(where: string, ms: number, error: IsyncError | undefined): RaisedAlarm {
  const why = error === undefined ? '' : `: ${error.message} [${error.code}]`;
  return alarmOf('TARGET_GONE', '', `no link to ${where} for ${formatSeconds(ms / 1000)}${why}`, error?.hint);
}

function ofError({ code, message, hint }: IsyncError): RaisedAlarm {
  return alarmOf(code, '', message, hint);
}
