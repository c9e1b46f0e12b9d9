import { columnsOf, filledTo } from '../columns.ts';
import { printable } from '../printable.ts';
import type { ToldReport } from './parse-report.ts';
import { shownValue } from './shown-value.ts';

type Table = NonNullable<ToldReport['cards'][number]['table']>;

export interface TableStyle {
  /** That the table may need. */
  readonly columns: number;
  readonly maxRows: number;
  readonly nowMs: number;
}

const GAP = '  ';
/** Columns below which nothing can be told from a cell: before that, the last columns are left out. */
const MIN_WIDTH = 8;

/** The rows that people should look at first, then the others in their order; as much of them as fits. */
export function tableLines({ columns: all, rows, total }: Table, style: TableStyle): string[] {
  if (total === 0) return [];
  const shown = rows
    .toSorted((a, b) => Number(b.alarmed ?? false) - Number(a.alarmed ?? false))
    .slice(0, style.maxRows);
  const cells = [
    all.map(({ label }) => printable(label)),
    ...shown.map((row) => all.map(({ unit }, at) => shownValue(row.cells[at], unit, style.nowMs))),
  ];
  const marks = ['  ', ...shown.map(({ alarmed }) => (alarmed === true ? '! ' : '  '))];
  const widths = fitting(
    all.map((_, at) => Math.max(...cells.map((row) => columnsOf(row[at] ?? '')))),
    style.columns - 2,
  );
  const lines = cells.map((row, at) => {
    const line = widths.map((width, column) => filledTo(row[column] ?? '', width)).join(GAP);
    return `${marks[at] ?? ''}${line}`.trimEnd();
  });
  const more = total - shown.length;
  return more > 0 ? [...lines, `  and ${more.toLocaleString('en-US')} more`] : lines;
}

/** Makes the widest narrower until all fit; where even narrow ones do not, leaves the last ones out. */
function fitting(widths: readonly number[], columns: number): number[] {
  const fitted = [...widths];
  const needed = (): number =>
    fitted.reduce((sum, width) => sum + width, 0) + GAP.length * (fitted.length - 1);
  while (needed() > columns && fitted.length > 1) {
    const widest = Math.max(...fitted);
    if (widest <= MIN_WIDTH) fitted.pop();
    else fitted[fitted.indexOf(widest)] = Math.max(MIN_WIDTH, widest - (needed() - columns));
  }
  return fitted;
}
