import { readScans, type ScansConfig } from '../config/read-scans.ts';
import { receiveSchema } from '../config/schemas/receive.ts';
import { verifySchema } from '../config/schemas/verify.ts';
import { briefCommand, type ConfigReader } from './brief-command.ts';
import type { Run } from './command.ts';
import type { Check } from './doctor/check.ts';
import { receiveChecks } from './doctor/receive.ts';
import { scansChecks } from './doctor/scan.ts';
import { tellChecks } from './doctor/tell.ts';
import { verifyChecks } from './doctor/verify.ts';

export const doctorOfScan = doctor<ScansConfig>(readScans, scansChecks);
export const doctorOfReceive = doctor(receiveSchema, receiveChecks);
export const doctorOfVerify = doctor(verifySchema, verifyChecks);

function doctor<Config extends { readonly json: boolean }>(
  reader: ConfigReader<Config>,
  examine: (config: Config) => AsyncIterable<Check>,
): Run {
  return briefCommand(reader, async ({ config, output }) => await tellChecks(output, examine(config)));
}
