import { columnsOf } from '../observe/columns.ts';

/**
 * Lines of a table with a head; nothing of nothing.
 * @param numbers names of columns that end on the right
 */
export function tableOf(
  head: readonly string[],
  numbers: ReadonlySet<string>,
  lines: readonly (readonly string[])[],
): readonly string[] {
  if (lines.length === 0) return [];
  const all = [head, ...lines];
  const widths = head.map((_, column) =>
    all.reduce((widest, line) => Math.max(widest, columnsOf(line[column] ?? '')), 0),
  );
  return all.map((line) =>
    line
      .map((text, column) => {
        const blanks = ' '.repeat((widths[column] ?? 0) - columnsOf(text));
        return numbers.has(head[column] ?? '') ? blanks + text : text + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}
