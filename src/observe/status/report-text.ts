import { columnsOf, cutToColumns, filledTo } from '../columns.ts';
import { printable } from '../printable.ts';
import { formatCount, formatSeconds } from '../units.ts';
import type { ToldReport } from './parse-report.ts';
import { shownValue } from './shown-value.ts';
import { tableLines } from './table-text.ts';

export interface ReportStyle {
  /** Of the terminal. */
  readonly columns: number;
  /** Rows of each table. */
  readonly maxRows: number;
  /** Adds colour, where that is wanted: to whole lines that are cut already. */
  readonly paint: (kind: 'title' | 'warning' | 'critical' | 'faint', line: string) => string;
}

/** Alarms that are shown; the rest is counted. */
const MAX_SHOWN = 20;
/** Columns of the names of facts, at most. */
const MAX_LABEL = 28;

/** A report for people, line by line; nothing in it can move the cursor. */
export function reportText(report: ToldReport, style: ReportStyle): string[] {
  const { command, subject, activity, alarms, alarmCount, cards } = report;
  const nowMs = timeOf(report.at);
  const { columns, paint } = style;
  const cut = (line: string): string => cutToColumns(line, columns);
  const shown = alarms.slice(0, MAX_SHOWN);
  const more = alarmCount - shown.length;
  return [
    paint('title', cut(`${printable(command)} ${printable(subject)}: ${printable(activity)}`)),
    paint('faint', cut(`  ${processLine(report, nowMs)}`)),
    ...shown.flatMap((alarm) => {
      const about = alarm.subject === '' ? '' : ` ${printable(alarm.subject)}:`;
      const since = formatSeconds((nowMs - timeOf(alarm.since)) / 1000);
      const first = `  ! ${printable(alarm.code)}${about} ${printable(alarm.text)} (for ${since})`;
      // Words that say what to do are never cut.
      const [lead = '', ...rest] = [
        ...wrapped(first, columns, '    '),
        ...wrapped(`    ${printable(alarm.cure)}`, columns, '    '),
      ];
      return [paint(alarm.severity, lead), ...rest];
    }),
    ...(more > 0 ? [`  and ${formatCount(more, 'more alarm')}`] : []),
    ...cards.flatMap((card) => cardLines(card, nowMs, style)),
  ];
}

type Card = ToldReport['cards'][number];

function cardLines({ title, facts, table }: Card, nowMs: number, style: ReportStyle): string[] {
  const { columns, paint, maxRows } = style;
  const width = Math.min(MAX_LABEL, Math.max(0, ...facts.map(({ label }) => columnsOf(printable(label)))));
  return [
    paint('title', cutToColumns(`  ${printable(title)}`, columns)),
    ...facts.map(({ label, value, unit }) =>
      cutToColumns(`    ${filledTo(printable(label), width)}  ${shownValue(value, unit, nowMs)}`, columns),
    ),
    ...(table === undefined
      ? []
      : tableLines(table, { columns: columns - 4, maxRows, nowMs }).map((line) => `    ${line}`)),
  ];
}

function processLine({ pid, host, version, startedAt }: ToldReport, nowMs: number): string {
  const ran = formatSeconds((nowMs - timeOf(startedAt)) / 1000);
  return `pid ${pid} on ${printable(host)}, isync ${printable(version)}, for ${ran}`;
}

/** A time that is none, of a newer isync, counts as the epoch. */
function timeOf(iso: string): number {
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? 0 : ms;
}

/** Breaks a line between words, so that each part needs at most `columns`; a longer word is cut. */
function wrapped(line: string, columns: number, indent: string): string[] {
  const lead = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let current = lead;
  for (const word of line.trim().split(/ +/)) {
    const longer = current.trim() === '' ? `${current}${word}` : `${current} ${word}`;
    if (columnsOf(longer) <= columns || current.trim() === '') {
      current = longer;
      continue;
    }
    lines.push(current);
    current = `${indent}${word}`;
  }
  return [...lines, current].map((part) => cutToColumns(part, columns));
}
