import type { Bandwidth, BandwidthSlot } from '../flow/bandwidth.ts';
import { badValue, parseRate } from './values.ts';

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const TIME = /^(?:([a-z]{3})-)?([01]?\d|2[0-3]):([0-5]\d)$/i;
/** More changes than a person writes; each is looked at whenever the rate is asked for. */
const MAX_SLOTS = 100;

/**
 * Parses `10MiB/s`, `512` (KiB/s, as rsync and rclone mean it), `off`, or a timetable as rclone has it:
 * `08:00,512KiB 18:00,off`, `Mon-08:00,1MiB Fri-18:00,off`. Times are local.
 */
export function parseBandwidth(text: string): Bandwidth {
  const [first, ...rest] = text.trim().split(/\s+/);
  if (first === undefined || !text.includes(',')) return [{ minute: 0, weekday: undefined, ...rateOf(text) }];
  if (rest.length >= MAX_SLOTS) throw badValue(`has more than ${MAX_SLOTS} times`);
  const slots: [BandwidthSlot, ...BandwidthSlot[]] = [slotOf(first), ...rest.map(slotOf)];
  const times = new Set(slots.map(({ minute, weekday }) => `${weekday ?? ''} ${minute}`));
  if (times.size < slots.length) throw badValue('has the same time twice');
  return slots;
}

function slotOf(text: string): BandwidthSlot {
  const [time = '', rate = ''] = text.split(/,(.*)/s);
  const [, day, hours, minutes] = TIME.exec(time) ?? [];
  const weekday = day === undefined ? undefined : WEEKDAYS.indexOf(day.toLowerCase());
  if (hours === undefined || weekday === -1)
    throw badValue('is no timetable like "08:00,512KiB 18:00,off" or "Mon-08:00,1MiB Fri-18:00,off"');
  return { minute: Number(hours) * 60 + Number(minutes), weekday, ...rateOf(rate) };
}

function rateOf(text: string): Pick<BandwidthSlot, 'bytesPerSecond'> {
  const rate = text.trim();
  return { bytesPerSecond: rate.toLowerCase() === 'off' ? Infinity : parseRate(rate) };
}
