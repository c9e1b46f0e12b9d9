import type { Card, Fact, Row, StatusReport, Table } from './report.ts';

/** What makes the next report of the one before. What is missing stays as it was. */
export interface ReportChange extends Pick<StatusReport, 'at' | 'activity'> {
  readonly alarms?: StatusReport['alarms'];
  readonly alarmCount?: number;
  readonly cards?: readonly CardChange[];
}

export interface CardChange {
  readonly id: string;
  /** All of them. */
  readonly facts?: readonly Fact[];
  readonly table?: TableChange;
}

export interface TableChange {
  readonly total: number;
  /** New ones, and those that are different now. */
  readonly rows: readonly Row[];
  /** The keys of all rows in their order, where that is another now: other rows are gone. */
  readonly keys?: readonly string[];
}

/** Undefined where the reports have other cards or columns, or are of another process: then the whole report is to be told. */
export function changeOf(before: StatusReport, now: StatusReport): ReportChange | undefined {
  if (before.pid !== now.pid || before.startedAt !== now.startedAt || before.subject !== now.subject)
    return undefined;
  if (before.cards.length !== now.cards.length) return undefined;
  const cards: CardChange[] = [];
  for (const [index, card] of now.cards.entries()) {
    const old = before.cards[index];
    if (old === undefined || !isSameKind(old, card)) return undefined;
    const change = cardChange(old, card);
    if (change !== undefined) cards.push(change);
  }
  const { at, activity, alarms, alarmCount } = now;
  return {
    at,
    activity,
    ...(!isSame(before.alarms, alarms) && { alarms }),
    ...(before.alarmCount !== alarmCount && { alarmCount }),
    ...(cards.length > 0 && { cards }),
  };
}

function isSameKind(old: Card, card: Card): boolean {
  return (
    old.id === card.id &&
    old.title === card.title &&
    isSame(old.table?.columns ?? [], card.table?.columns ?? [])
  );
}

function cardChange(old: Card, { id, facts, table }: Card): CardChange | undefined {
  const otherFacts = isSame(old.facts, facts) ? undefined : facts;
  const otherTable = table && old.table && tableChange(old.table, table);
  if (otherFacts === undefined && otherTable === undefined) return undefined;
  return {
    id,
    ...(otherFacts !== undefined && { facts: otherFacts }),
    ...(otherTable !== undefined && { table: otherTable }),
  };
}

function tableChange(old: Table, { rows, total }: Table): TableChange | undefined {
  const known = new Map(old.rows.map((row) => [row.key, row]));
  const changed = rows.filter((row) => !isSameRow(known.get(row.key), row));
  const isReordered =
    rows.length !== old.rows.length || rows.some(({ key }, at) => key !== old.rows[at]?.key);
  if (changed.length === 0 && !isReordered && total === old.total) return undefined;
  return { total, rows: changed, ...(isReordered && { keys: rows.map(({ key }) => key) }) };
}

/** Rows are many, so no JSON is made of those that stay as they are. */
function isSameRow(old: Row | undefined, row: Row): boolean {
  return (
    old !== undefined &&
    (old.alarmed ?? false) === (row.alarmed ?? false) &&
    old.cells.length === row.cells.length &&
    row.cells.every((cell, at) => cell === old.cells[at])
  );
}

function isSame(old: readonly object[], now: readonly object[]): boolean {
  return old.length === now.length && JSON.stringify(old) === JSON.stringify(now);
}
