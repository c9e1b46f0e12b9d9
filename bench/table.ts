import type { Row, Sample } from './bench.ts';

/** The rows as a Markdown table: medians, and how isync's compares with each of the others. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.case,
    row.measure + (row.note === undefined ? '' : `<br>_${row.note}_`),
    `**${figure(row.isync, row.unit)}**`,
    othersOf(row).join('<br>'),
    goalsOf(row).join('<br>'),
  ]);
  const head = ['case', 'what', 'isync', 'others (isync ÷ it)', 'asked for'];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The row for a terminal, with the range of each sample. */
export function textOf(row: Row): string {
  const range = ({ least, most, count }: Sample): string =>
    `  (${round(least)} to ${round(most)}, ${count}×)`;
  const lines = [
    `isync: ${figure(row.isync, row.unit)}${range(row.isync)}`,
    ...Object.values(row.others).map((other, index) => (othersOf(row)[index] ?? '') + range(other)),
    ...(row.note === undefined ? [] : [row.note]),
    ...goalsOf(row),
  ];
  return [`${row.case}: ${row.measure}`, ...lines.map((line) => `    ${line}`)].join('\n');
}

function othersOf({ isync, others, unit }: Row): string[] {
  return Object.entries(others).map(
    ([name, other]) => `${name}: ${figure(other, unit)} (${ratio(isync.median / other.median)})`,
  );
}

function goalsOf({ goals }: Row): string[] {
  return goals.map(({ text, met }) => `${met ? 'met' : '**missed**'}: ${text}`);
}

function figure({ median }: Sample, unit: Row['unit']): string {
  return `${round(median)} ${unit}`;
}

function ratio(value: number): string {
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(2);
}

/** Three digits that count. */
function round(value: number): string {
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)));
}
