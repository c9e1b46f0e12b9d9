import { bucketSettings } from './bucket-settings.ts';
import { isRecord, type ValuePath } from './config-file.ts';
import { optionName, SCANS } from './names.ts';
import { checkSettings, wrongSettings } from './read-config.ts';
import { OF_PROCESS, type ScanConfig, scanSchema } from './schemas/scan.ts';
import {
  collectSettings,
  settingsOfMap,
  type Collected,
  type CommandSettings,
  type Setting,
  type Sources,
} from './sources.ts';
import { showAddress } from './target-address.ts';

/** Scans of one process: each may watch 64 directories, with four pipes for each of them. */
const MAX_SCANS = 32;

const KEYS = Object.keys(scanSchema.shape);
const ENTRY_KEYS = KEYS.filter((key) => !OF_PROCESS.some((name) => name === key));

export interface ListedScan {
  readonly config: ScanConfig;
  /** Whether its `bwlimit` is that of the process, which such scans share. */
  readonly sharesBandwidth: boolean;
}

/** The scans of one process, one at least, and what they have in common. */
export interface ScansConfig extends Pick<ScanConfig, (typeof OF_PROCESS)[number]> {
  readonly scans: {
    /** Whether a config file lists them, also where it lists one only. */
    readonly isList: boolean;
    readonly all: readonly [ListedScan, ...ListedScan[]];
  };
}

/**
 * Returns the settings of `isync scan`: of one scan, or of those that `scans` of the config file lists. What is given beside the
 * list (flags, environment, the section) holds for each of them that has no setting of its own.
 * @throws IsyncError as readConfig does
 */
export function readScans(command: CommandSettings, sources: Sources): ScansConfig {
  const collected = collectSettings(KEYS, command, sources);
  const { file } = collected;
  if (file?.content.has(SCANS) !== true) {
    const { config, faults, isUsage } = checkSettings(scanSchema, command, sources, collected);
    if (config === undefined || collected.faults.length > 0)
      throw wrongSettings(
        [...collected.faults, ...faults],
        command,
        isUsage && collected.faults.length === 0,
      );
    return scansOf(false, [{ config, sharesBandwidth: true }]);
  }
  const faults = [...collected.faults];
  const entries = entriesOf(collected, command, faults);
  const listed: ListedScan[] = [];
  for (const [index, entry] of entries) {
    const checked = checkSettings(scanSchema, command, sources, entry);
    // What comes from the list names its place there already.
    faults.push(
      ...checked.faults.map((fault) =>
        fault.startsWith(`${SCANS}[`) ? fault : `${SCANS}[${index}].${fault}`,
      ),
    );
    const sharesBandwidth = originOf(entry) === originOf(collected);
    if (checked.config !== undefined) listed.push({ config: checked.config, sharesBandwidth });
  }
  const [first, ...others] = listed;
  if (faults.length === 0) faults.push(...twiceFaults(listed));
  if (first === undefined || faults.length > 0) throw wrongSettings(faults, command, false);
  return scansOf(true, [first, ...others]);
}

/** Where the limit of bandwidth comes from. */
function originOf({ settings }: Collected): Setting['origin'] | undefined {
  return settings.get('bwlimit')?.origin;
}

function scansOf(isList: boolean, all: readonly [ListedScan, ...ListedScan[]]): ScansConfig {
  const [{ config }] = all;
  const { once, json, logLevel, logFormat, stats, status, statusTokenFile } = config;
  return { once, json, logLevel, logFormat, stats, status, statusTokenFile, scans: { isList, all } };
}

/** The settings of each scan of the list: its own, and those of `common` that it has not. */
function entriesOf(shared: Collected, command: CommandSettings, faults: string[]): [number, Collected][] {
  const { file, settings } = shared;
  const list = file?.content.get(SCANS);
  const where = (at: ValuePath): string => `(${file?.path ?? ''}, line ${file?.lineOf(at) ?? 0})`;
  if (file === undefined || !Array.isArray(list) || list.length === 0) {
    faults.push(`${SCANS}: is no list of scans, each with "root" and "to" ${where([SCANS])}`);
    return [];
  }
  if (list.length > MAX_SCANS) {
    faults.push(`${SCANS}: has more than ${MAX_SCANS} scans; start another process ${where([SCANS])}`);
    return [];
  }
  if (settings.has('root'))
    faults.push(`root: is given beside "${SCANS}", each of which has its own; leave one of the two out`);
  return list.flatMap((entry: unknown, index): [number, Collected][] => {
    const within = [SCANS, index];
    if (!isRecord(entry)) {
      faults.push(`${SCANS}[${index}]: is no map of settings ${where(within)}`);
      return [];
    }
    const common = OF_PROCESS.map(optionName).find((name) => name in entry);
    if (common !== undefined) {
      faults.push(
        `${SCANS}[${index}].${common}: holds for all scans; give it in the section "${command.section}" ${where([...within, common])}`,
      );
      return [];
    }
    const keys = ENTRY_KEYS.filter((key) => !command.secrets.includes(key));
    const what = `setting of a scan`;
    const own = new Map(settingsOfMap(entry, { file, within, keys, command, what }, faults));
    if (!own.has('root')) {
      faults.push(`${SCANS}[${index}]: has no "root" ${where(within)}`);
      return [];
    }
    return [[index, { settings: overlaid(settings, own, command), faults: [], file }]];
  });
}

function overlaid(
  common: ReadonlyMap<string, Setting>,
  own: ReadonlyMap<string, Setting>,
  { secrets }: CommandSettings,
): Map<string, Setting> {
  const all = new Map([...common, ...own]);
  // A file that a scan names is meant instead of the secret of all.
  for (const secret of secrets) if (own.has(`${secret}File`)) all.delete(secret);
  return all;
}

/** Two that send as the same device to the same target: a receiver would end the one for the other, and their directories would mix. */
function twiceFaults(listed: readonly ListedScan[]): string[] {
  const ways = listed.map(({ config }) => {
    const { to, device } = config;
    return JSON.stringify([showAddress(to), to.kind === 's3' && bucketSettings(to, config).endpoint, device]);
  });
  return listed.flatMap(({ config: { to, device } }, index) => {
    const first = ways.indexOf(ways[index] ?? '');
    if (first === index) return [];
    return [
      `${SCANS}[${index}].device: "${device}" sends to ${showAddress(to)} in ${SCANS}[${first}] already; each needs a device of its own`,
    ];
  });
}
