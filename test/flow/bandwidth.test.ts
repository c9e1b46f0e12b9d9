import { describe, expect, it } from 'vitest';
import { parseBandwidth } from '../../src/config/bandwidth.ts';
import { bandwidthAt } from '../../src/flow/bandwidth.ts';

/** 2026-03-02 is a Monday. */
const at = (day: number, time: string): Date => new Date(`2026-03-0${day}T${time}`);

describe('a timetable of rates', () => {
  const daily = parseBandwidth('08:00,512KiB 18:00,off');

  it.each([
    ['07:59:59', Infinity],
    ['08:00:00', 512 * 1024],
    ['17:59:59', 512 * 1024],
    ['18:00:00', Infinity],
    ['00:00:00', Infinity],
  ])('goes at %s by what began last', (time, rate) => expect(bandwidthAt(daily, at(2, time))).toBe(rate));

  const weekly = parseBandwidth('Mon-08:00,1MiB Fri-18:00,off');

  it.each([
    ['Monday before eight', at(2, '07:00'), Infinity],
    ['Monday', at(2, '08:00'), 1024 * 1024],
    ['Thursday', at(5, '23:00'), 1024 * 1024],
    ['Friday night', at(6, '18:00'), Infinity],
    ['Sunday', at(8, '12:00'), Infinity],
  ])('of a week: %s', (_, date, rate) => expect(bandwidthAt(weekly, date)).toBe(rate));

  it('lets a day that is named go before every day', () => {
    const mixed = parseBandwidth('08:00,1MiB Mon-08:00,2MiB 18:00,off');
    expect(bandwidthAt(mixed, at(2, '09:00'))).toBe(2 * 1024 * 1024);
    expect(bandwidthAt(mixed, at(3, '09:00'))).toBe(1024 * 1024);
    expect(bandwidthAt(mixed, at(2, '19:00'))).toBe(Infinity);
  });

  it.each([
    ['2MB/s', 2e6],
    ['512', 512 * 1024],
    ['off', Infinity],
  ])('can be one rate: %s', (text, rate) => expect(bandwidthAt(parseBandwidth(text), new Date())).toBe(rate));

  it.each([
    '',
    'fast',
    '08:00,',
    '24:00,1MiB',
    '8,1MiB',
    'Foo-08:00,1MiB',
    '08:00,1MiB,2MiB',
    '08:00,1MiB 8:00,off',
  ])('refuses "%s"', (text) => expect(() => parseBandwidth(text)).toThrow(/^(is|has) /));
});
