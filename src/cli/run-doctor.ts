import type { CommandSchema } from '../config/read-config.ts';
import { receiveSchema } from '../config/schemas/receive.ts';
import { scanSchema } from '../config/schemas/scan.ts';
import { formatCount } from '../observe/units.ts';
import { briefCommand } from './brief-command.ts';
import type { Run } from './command.ts';
import { type Check, linesOf } from './doctor/check.ts';
import { receiveChecks } from './doctor/receive.ts';
import { scanChecks } from './doctor/scan.ts';
import { EXIT } from './exit-codes.ts';

export const doctorOfScan = doctor(scanSchema, scanChecks);
export const doctorOfReceive = doctor(receiveSchema, receiveChecks);

/** A command that tells each check as it is made, and ends with 1 where one fails. */
function doctor<Config extends { readonly json: boolean }>(
  schema: CommandSchema<Config>,
  examine: (config: Config) => AsyncIterable<Check>,
): Run {
  return briefCommand(schema, async ({ config, output }) => {
    const checks: Check[] = [];
    for await (const check of examine(config)) {
      checks.push(check);
      for (const line of linesOf(check)) output.text(line);
    }
    const count = (level: Check['level']): number => checks.filter((check) => check.level === level).length;
    const failed = count('fail');
    output.text(`${formatCount(count('ok'), 'check')} ok, ${formatCount(count('warn'), 'warning')}, ${failed} failed`);
    return output.done({ checks }, failed > 0 ? EXIT.PROBLEMS : EXIT.DONE);
  });
}
