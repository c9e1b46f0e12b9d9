import type { CommandSchema } from '../config/read-config.ts';
import { pullSchema } from '../config/schemas/pull.ts';
import { webhookSchema } from '../config/schemas/webhook.ts';
import { openParking } from '../events/parking/open-parking.ts';
import type { ParkedRecord, Parking } from '../events/parking/parking.ts';
import { IsyncError } from '../model/isync-error.ts';
import { printable } from '../observe/printable.ts';
import { formatCount } from '../observe/units.ts';
import type { ParkedRuns } from './commands/parked.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { parkingFolder } from './pull/state-files.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import type { LogSettings } from './screen.ts';

/** Stands for every record where ids are asked for. */
const ALL = 'all';
/** Records changed at a time: they share the syncs of the folder. */
const AT_ONCE = 64;

/** What these need of a command's settings. */
interface ParkedConfig extends LogSettings {
  readonly state: string;
  readonly json: boolean;
}

type Work = LastingWork<ParkedConfig>;

export const pullParked = parkedRuns(pullSchema);
export const webhookParked = parkedRuns(webhookSchema);

function parkedRuns<Config extends ParkedConfig>(schema: CommandSchema<Config>): ParkedRuns {
  return {
    list: lastingCommand(schema, FINISHING, list),
    show: lastingCommand(schema, FINISHING, show),
    replay: lastingCommand(schema, FINISHING, replay),
    drop: lastingCommand(schema, FINISHING, drop),
  };
}

/** For programs an object for each record, without its message, which may be large: `show` has that. */
async function list({ config, output, log, signal }: Work): Promise<ExitCode> {
  const parking = await openParking(parkingFolder(config), { log });
  let records = 0;
  for await (const record of parking.list()) {
    if (signal.aborted) return EXIT.INTERRUPTED;
    records++;
    const { body: _, ...shown } = record;
    output.text(lineOf(record));
    output.object(shown);
  }
  return output.done({ records });
}

async function show({ config, words, output, log }: Work): Promise<ExitCode> {
  const parking = await openParking(parkingFolder(config), { log });
  const record = await parking.get(words['id'] ?? '');
  const { id, at, messageId, code, reason, hint, bucket, key, body } = record;
  const lines = { id, at, messageId, code, reason, hint, bucket, key };
  for (const [name, value] of Object.entries(lines))
    if (value !== undefined) output.text(`${name.padEnd(10)} ${printable(value)}`);
  output.text('');
  for (const line of body.split('\n')) output.text(printable(line));
  return output.done(record);
}

/** A record that is taken again stays parked until that has come to a good end. */
async function replay(given: Work): Promise<ExitCode> {
  const records = await changed(given, (parking, id) => parking.replay(id));
  const what = formatCount(records, 'record');
  given.output.text(`${what} to be taken again, by the process that runs or the next one`);
  return given.output.done({ records });
}

async function drop(given: Work): Promise<ExitCode> {
  const records = await changed(given, (parking, id) => parking.drop(id));
  given.output.text(`${formatCount(records, 'record')} dropped`);
  return given.output.done({ records });
}

/** Changes the records that were named, and returns how many. */
async function changed(
  { config, list, log, signal }: Work,
  change: (parking: Parking, id: string) => Promise<void>,
): Promise<number> {
  const parking = await openParking(parkingFolder(config), { log });
  const ids = await idsOf(parking, list);
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    signal.throwIfAborted();
    await Promise.all(ids.slice(from, from + AT_ONCE).map((id) => change(parking, id)));
  }
  return ids.length;
}

/** @throws IsyncError USAGE where one is not there: then nothing has been changed */
async function idsOf(parking: Parking, list: readonly string[]): Promise<readonly string[]> {
  const known = await parking.ids();
  if (list.includes(ALL)) {
    if (list.length === 1) return known;
    throw new IsyncError('USAGE', `"${ALL}" stands for every record; give it alone`);
  }
  const there = new Set(known);
  const missing = list.find((id) => !there.has(id));
  // Its refusal is the one that all others give.
  if (missing !== undefined) await parking.get(missing);
  return [...new Set(list)];
}

/** `ID  TIME  CODE  BUCKET/KEY: REASON` */
function lineOf({ id, at, code, bucket, key, reason }: ParkedRecord): string {
  const what = bucket === undefined || key === undefined ? '' : `${bucket}/${key}: `;
  return `${id}  ${at}  ${code.padEnd(15)}  ${printable(`${what}${reason}`)}`;
}
