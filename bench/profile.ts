import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isync } from './competitors.ts';
import { inCaseFolder } from './contest.ts';
import { equalSizes, GIB, KIB, MIB, mixedSizes, writeFiles } from './data.ts';

/** The data sets of the loopback cases. */
const SETS = {
  small: () => equalSizes(10_000, 4 * KIB),
  mixed: () => mixedSizes(2000, 2 * GIB, KIB, 20 * MIB),
  big: () => [4 * GIB],
};
const SIDES = ['sender', 'receiver'] as const;
/** How the bundler begins what came from a source: with its path. */
const REGION = /^\/\/(?:#region)? ((?:src|node_modules)\/\S+)$/;

/** What time is spent on, by the innermost function of ours, of a package or of Node that says so. The first that fits counts. */
const PHASES: readonly (readonly [phase: string, place: RegExp])[] = [
  ['collecting garbage', /^\(garbage collector\)/],
  ['start: loading', /node:internal\/(modules|bootstrap)|node:internal\/main|\(anonymous module\)/],
  ['digest', /model\/digest\.ts|xxhash-wasm|wasm:/],
  ['reading', /sender\/(source-file|durable-source|directory-sync)\.ts|sender\/ws\/upload\.ts/],
  ['listing', /scanner\/(walk|list-|look-at|finding|fingerprint|ignore|folder-handle|own-marks)/],
  ['marking', /scanner\/mark\.ts/],
  ['staging', /store\/file\/(stag|file-body|file-upload)/],
  ['publishing', /store\/|model\/sync-folder\.ts/],
  ['wire', /protocol\/|sender\/ws\/|node_modules\/ws\//],
  ['receiver', /src\/receiver\//],
  ['sender', /src\/sender\//],
  ['start: settings, and the log', /src\/(cli|config|observe)\/|node_modules\/zod/],
  ['other', /src\/|dist\/|node_modules\//],
];

interface ProfileNode {
  readonly id: number;
  /** The line at which the function begins, the first being 0. */
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** A `.cpuprofile` of V8; times in µs. */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Whether there is a data set of that name. */
export function isProfiled(name: string): boolean {
  return Object.hasOwn(SETS, name);
}

/** Transfers each data set, or those named, once below `tmpfs` with V8's profiler on both sides, and prints where the time goes. */
export async function profile(tmpfs: string, names: readonly string[]): Promise<void> {
  const columns = new Map<string, Map<string, number>>();
  for (const [name, sizes] of Object.entries(SETS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.error(`${name}: with V8's profiler`);
    await inCaseFolder(tmpfs, `profile-${name}`, async (folder) => {
      const env = (side: string): Record<string, string> => {
        mkdirSync(join(folder, side));
        return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(folder, side)}` };
      };
      const data = writeFiles(join(folder, 'root'), sizes());
      const store = join(folder, 'store');
      mkdirSync(store);
      const competitor = await isync(folder, { env: { sender: env('sender'), receiver: env('receiver') } });
      await competitor.run(data, store);
      for (const side of SIDES) columns.set(`${name}, ${side}`, phasesOf(join(folder, side)));
    });
  }
  console.log(tableOf(columns));
}

/** Milliseconds by phase of what lies in `folder`. */
function phasesOf(folder: string): Map<string, number> {
  const phases = new Map<string, number>();
  for (const file of readdirSync(folder)) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
    for (const [index, id] of samples.entries()) {
      const phase = phaseOf(id, byId, parents);
      if (phase !== undefined) phases.set(phase, (phases.get(phase) ?? 0) + (timeDeltas[index] ?? 0) / 1000);
    }
  }
  return phases;
}

/** Undefined where nothing was done. */
function phaseOf(
  leaf: number,
  nodes: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
): string | undefined {
  for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
    const { functionName, url, lineNumber } = nodes.get(id)!.callFrame;
    if (functionName === '(idle)') return undefined;
    const name = url === '' ? functionName : sourceOf(url, lineNumber);
    const found = PHASES.find(([, place]) => place.test(name));
    if (found !== undefined) return found[0];
  }
  return 'Node';
}

/** The lines of each part of the bundle. */
const parts = new Map<string, readonly string[]>();

/** Which source a line of the bundle came from, as the bundler says above it; what is no part of it stays what it is. */
function sourceOf(url: string, line: number): string {
  if (!url.includes('/dist/cli/')) return url;
  const lines = parts.get(url) ?? readFileSync(fileURLToPath(url), 'utf8').split('\n');
  parts.set(url, lines);
  const head = lines.slice(0, line + 1).findLast((text) => REGION.test(text));
  return REGION.exec(head ?? '')?.[1] ?? url;
}

function tableOf(columns: ReadonlyMap<string, ReadonlyMap<string, number>>): string {
  const names = [...PHASES.map(([phase]) => phase), 'Node'];
  const shown = (ms: number | undefined): string => (ms === undefined || ms < 0.5 ? '' : ms.toFixed(0));
  const sum = (phases: ReadonlyMap<string, number>): number =>
    [...phases.values()].reduce((total, ms) => total + ms, 0);
  const rows = [
    ['ms', ...columns.keys()],
    ['---', ...[...columns].map(() => '---:')],
    ...names.map((name) => [name, ...[...columns.values()].map((phases) => shown(phases.get(name)))]),
    ['in all', ...[...columns.values()].map((phases) => shown(sum(phases)))],
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
