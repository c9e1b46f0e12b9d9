import { describe, expect, it } from 'vitest';
import { columnsOf, cutToColumns, filledTo } from '../../src/observe/columns.ts';
import { parseReport } from '../../src/observe/status/parse-report.ts';
import { reportText } from '../../src/observe/status/report-text.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';

const PLAIN = { columns: 60, maxRows: 2, paint: (_: string, line: string) => line };

function textOf(board: StatusBoard, style: Partial<typeof PLAIN> = {}): string[] {
  return reportText(parseReport(JSON.stringify(board.report())), { ...PLAIN, ...style });
}

function boardOf(subject = '/datas'): StatusBoard {
  return new StatusBoard({ command: 'scan', subject, version: '1.2.3' });
}

describe('a report for people', () => {
  it('has what the command does, what is wrong with its cure, and facts with their units', () => {
    const board = boardOf();
    board.activity = () => 'target full';
    board.alarms.raise({ code: 'STORE_FULL', severity: 'critical', text: 'It is full.', cure: 'Make room.' });
    board.add(() => ({
      id: 'sent',
      title: 'Sent',
      facts: [
        { id: 'bytes', label: 'Bytes', value: 3_565_158, unit: 'bytes' },
        { id: 'last', label: 'Last file', value: Date.now() - 125_000, unit: 'time' },
        { id: 'unknown', label: 'Not known', value: null },
      ],
    }));
    const lines = textOf(board);
    expect(lines[0]).toBe('scan /datas: target full');
    expect(lines[1]).toMatch(/^ {2}pid \d+ on .*, isync 1\.2\.3, for 0s$/);
    expect(lines.slice(2)).toEqual([
      '  ! STORE_FULL It is full. (for 0s)',
      '    Make room.',
      '  Sent',
      '    Bytes      3.4 MiB',
      '    Last file  2m05s ago',
      '    Not known  -',
    ]);
  });

  it('shows rows that need a person first, and as many as fit', () => {
    const board = boardOf();
    board.add(() => ({
      id: 'devices',
      title: 'Devices',
      facts: [],
      table: {
        columns: [
          { id: 'device', label: 'Device' },
          { id: 'bytes', label: 'Bytes', unit: 'bytes' },
          { id: 'path', label: 'Current file' },
        ],
        rows: [
          { key: 'a', cells: ['edge1', 1024, 'DC1/x'.repeat(40)] },
          { key: 'b', cells: ['edge2', 0, 'y'] },
          { key: 'c', cells: ['edge3', 0, 'z'], alarmed: true },
        ],
        total: 1000,
      },
    }));
    const lines = textOf(board).slice(3);
    expect(lines.map((line) => line.slice(0, 24))).toEqual([
      '      Device  Bytes    C',
      '    ! edge3   0 B      z',
      '      edge1   1.0 KiB  D',
      '      and 998 more',
    ]);
    for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(60);
    // Too narrow for all of them.
    expect(textOf(board, { columns: 20 }).at(-3)).toBe('    ! edge3');
  });

  it('shows names of strangers as text, on one line', () => {
    const name = 'a\u001b[2J\nb\u202e<b>';
    const board = boardOf(name);
    board.alarms.raise({ code: name, severity: 'warning', subject: name, text: name, cure: name });
    board.add(() => ({
      id: name,
      title: name,
      facts: [{ id: 'x', label: name, value: name }],
      table: { columns: [{ id: 'x', label: name }], rows: [{ key: name, cells: [name] }], total: 1 },
    }));
    const text = textOf(board, { columns: 300 }).join('\n');
    // eslint-disable-next-line no-control-regex -- none of them may be left
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text.split('a\\x1b[2J\\x0ab\\u202e<b>')).toHaveLength(11);
  });

  it('counts alarms that it does not show', () => {
    const board = boardOf();
    for (let n = 0; n < 150; n++)
      board.alarms.raise({ code: 'X', severity: 'warning', subject: `s${n}`, text: 't', cure: 'c' });
    expect(textOf(board).at(-1)).toBe('  and 130 more alarms');
  });

  it.each(['', 'x', '{}', '{"command":1}'])('%j is no report', (json) => {
    expect(() => parseReport(json)).toThrow('the answer is no status of isync');
  });
});

describe('columns of a terminal', () => {
  it('are two for what is wide there, and none are cut in half', () => {
    expect(columnsOf('数据a')).toBe(5);
    expect(columnsOf('e\u0301')).toBe(1);
    expect(cutToColumns('数据数据', 6)).toBe('数据…');
    expect(cutToColumns('数据数据', 8)).toBe('数据数据');
    expect(cutToColumns('abcdef', 4)).toBe('abc…');
    expect(cutToColumns('abc', 0)).toBe('');
    expect(filledTo('数', 4)).toBe('数  ');
  });
});
