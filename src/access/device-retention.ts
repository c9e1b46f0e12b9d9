/** How long a receiver keeps the sealed directories of one device; what is absent is as the command says. */
export interface DeviceRetention {
  /** A directory goes once its seal is this old, in ms. Infinity: none goes. */
  readonly retainMs?: number | undefined;
  /** So many stay in any case, the newest. */
  readonly retainLast?: number | undefined;
}

/** What `retain` says of a device from which nothing goes. */
const NEVER = 'never';
const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Longest retention in ms: ten years, as of the option. */
const MAX_RETAIN_MS = 3650 * 86_400_000;

/** Returns milliseconds; undefined where the text is no retention, be it too short or too long. */
export function parseRetain(text: string): number | undefined {
  if (text === NEVER) return Infinity;
  const [, count = '', unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? 0);
  return ms > 0 && ms <= MAX_RETAIN_MS ? ms : undefined;
}
