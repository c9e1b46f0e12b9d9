import type { CommandSchema } from '../config/read-config.ts';
import { receiveSchema } from '../config/schemas/receive.ts';
import { scanSchema } from '../config/schemas/scan.ts';
import { briefCommand } from './brief-command.ts';
import type { Run } from './command.ts';
import type { Check } from './doctor/check.ts';
import { receiveChecks } from './doctor/receive.ts';
import { scanChecks } from './doctor/scan.ts';
import { tellChecks } from './doctor/tell.ts';

export const doctorOfScan = doctor(scanSchema, scanChecks);
export const doctorOfReceive = doctor(receiveSchema, receiveChecks);

function doctor<Config extends { readonly json: boolean }>(
  schema: CommandSchema<Config>,
  examine: (config: Config) => AsyncIterable<Check>,
): Run {
  return briefCommand(schema, async ({ config, output }) => await tellChecks(output, examine(config)));
}
