import {
  array,
  assert,
  boolean,
  constant,
  constantFrom,
  nat,
  property,
  record,
  tuple,
  uniqueArray,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeOf, type ReportChange } from '../../src/observe/status/report-change.ts';
import type { Card, Row, StatusReport } from '../../src/observe/status/report.ts';

const page = new URL('../../src/cli/status/page/report.js', import.meta.url).href;
/** What a page makes of it. */
const { changed } = (await import(page)) as {
  changed: (report: StatusReport, change: ReportChange) => StatusReport;
};

const row = record({
  key: constantFrom('a', 'b', 'c', 'd', 'e', '__proto__'),
  cells: tuple(constantFrom('x', 'y'), constantFrom(null, 0, 1, true)),
  alarmed: boolean(),
});
const cards = record({
  facts: array(record({ id: constantFrom('f', 'g'), label: constant('F'), value: nat(2) }), {
    maxLength: 2,
  }),
  rows: uniqueArray(row, { selector: ({ key }: Row) => key }),
}).map(({ facts, rows }): Card[] => [
  { id: 'one', title: 'One', facts },
  {
    id: 'two',
    title: 'Two',
    facts: [],
    table: { columns: [{ id: 'c', label: 'C' }], rows, total: rows.length },
  },
]);
const report = record({ cards, alarmCount: nat(1), at: constantFrom('t1', 't2') }).map((parts) => ({
  ...BASE,
  ...parts,
}));

const BASE: StatusReport = {
  command: 'receive',
  subject: '/srv',
  version: '1',
  host: 'h',
  pid: 1,
  startedAt: 's',
  at: 't',
  activity: 'idle',
  alarms: [],
  alarmCount: 0,
  cards: [],
};

describe('what has changed in a report', () => {
  it('makes of the one before just the one that is now', () => {
    assert(
      property(report, report, (before, now) => {
        const change = changeOf(before, now);
        expect(change && changed(before, JSON.parse(JSON.stringify(change)))).toEqual(now);
      }),
    );
  });

  it('is as small as what has changed', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => ({ key: `device-${i}`, cells: [`device-${i}`, i] }));
    const table = { columns: [{ id: 'd', label: 'D' }], rows, total: 1000 };
    const before = { ...BASE, cards: [{ id: 'devices', title: 'Devices', facts: [], table }] };
    const now = rows.with(7, { key: 'device-7', cells: ['device-7', 99] });
    const after = {
      ...BASE,
      cards: [{ id: 'devices', title: 'Devices', facts: [], table: { ...table, rows: now } }],
    };
    expect(JSON.stringify(changeOf(before, after)).length).toBeLessThan(300);
  });

  it('is unknown where there are other cards, columns, or another process', () => {
    const card = (id: string, column: string): Card => ({
      id,
      title: id,
      facts: [],
      table: { columns: [{ id: column, label: column }], rows: [], total: 0 },
    });
    const before = { ...BASE, cards: [card('a', 'x')] };
    expect(changeOf(before, { ...BASE, cards: [card('b', 'x')] })).toBeUndefined();
    expect(changeOf(before, { ...BASE, cards: [card('a', 'y')] })).toBeUndefined();
    expect(changeOf(before, { ...BASE, cards: [] })).toBeUndefined();
    expect(changeOf(before, { ...before, pid: 2 })).toBeUndefined();
  });
});
