import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeftOut } from './tools.ts';

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
    if (lines.size > 0) console.warn(summaryOf([...lines].map((line) => JSON.parse(line) as LeftOut)));
  };
}

function summaryOf(leftOut: readonly LeftOut[]): string {
  const [tools = '', permissions = ''] = (['tool', 'permission'] as const).map((kind) =>
    linesOf(leftOut.filter((each) => each.kind === kind)),
  );
  return [
    '\nNOT ALL WAS TESTED.',
    ...(tools === '' ? [] : [` This machine lacks:\n${tools}`]),
    ...(permissions === '' ? [] : [` This user may not:\n${permissions}`]),
    '',
  ].join('');
}

function linesOf(leftOut: readonly LeftOut[]): string {
  return Object.entries(Object.groupBy(leftOut, ({ what }) => what))
    .map(([what, of = []]) => {
      const files = [...new Set(of.map(({ file }) => file))].sort().join(', ');
      return `  ${what}: ${of[0]?.cure}\n    for ${files}\n`;
    })
    .join('');
}
