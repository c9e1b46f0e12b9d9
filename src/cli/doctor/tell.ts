import { formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { type Check, linesOf } from './check.ts';

/** Tells each check as it is made. Returns what to exit with: 1 where one fails. */
export async function tellChecks(output: Output, made: AsyncIterable<Check>): Promise<ExitCode> {
  const checks: Check[] = [];
  for await (const check of made) {
    checks.push(check);
    for (const line of linesOf(check)) output.text(line);
  }
  const count = (level: Check['level']): number => checks.filter((check) => check.level === level).length;
  const failed = count('fail');
  output.text(
    `${formatCount(count('ok'), 'check')} ok, ${formatCount(count('warn'), 'warning')}, ${failed} failed`,
  );
  return output.done({ checks }, failed > 0 ? EXIT.PROBLEMS : EXIT.DONE);
}
