import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Says at the very end of a run which test files left something out, for want of what, and how to get it. */
export default function setup(): (() => void) | undefined {
  if (process.env['ISYNC_TEST_LEFT_OUT'] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'isync-left-out-'));
  const told = join(folder, 'told');
  writeFileSync(told, '');
  process.env['ISYNC_TEST_LEFT_OUT'] = told;
  return () => {
    const lines = new Set(readFileSync(told, 'utf8').split('\n').filter(Boolean));
    rmSync(folder, { recursive: true, force: true });
    if (lines.size > 0) console.warn(summaryOf([...lines].map((line) => JSON.parse(line) as Gap)));
  };
}

interface Gap {
  readonly tool: string;
  readonly cure: string;
  readonly file: string;
}

function summaryOf(gaps: readonly Gap[]): string {
  const byTool = Object.groupBy(gaps, ({ tool }) => tool);
  const lines = Object.entries(byTool).map(([tool, of = []]) => {
    const files = [...new Set(of.map(({ file }) => file))].sort().join(', ');
    return `  ${tool}: ${of[0]?.cure}\n    for ${files}`;
  });
  return `\nNOT ALL WAS TESTED. This machine lacks:\n${lines.join('\n')}\n`;
}
