import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { Bench, BenchCase, Row } from './bench.ts';
import { readOptions, type Options } from './options.ts';
import { markdownTable, textOf } from './table.ts';

/** `f_type` of a tmpfs, statfs(2). */
const TMPFS_MAGIC = 0x01021994;

// What is measured is what a user has installed, not these sources; harness/cli.ts reads it when it is loaded.
process.env['ISYNC_CLI_MAIN'] ??= fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const { CASES } = await import('./cases/index.ts');
const { isProfiled, profile } = await import('./profile.ts');

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (thrown) {
    return usage(thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (options.help) return help();
  const { names } = options;
  if (options.profile) return await profiled(options);
  const unknown = names.find((name) => !CASES.some((one) => isCalled(one, name)));
  if (unknown !== undefined) return usage(`there is no case "${unknown}"`);
  const chosen = CASES.filter((one) => names.length === 0 || names.some((name) => isCalled(one, name)));
  return await measure(chosen, options);
}

/** `small` is `small`, `small-disk` and `small-tmpfs`. */
function isCalled({ name }: BenchCase, given: string): boolean {
  return name === given || name.startsWith(`${given}-`);
}

async function measure(cases: readonly BenchCase[], options: Options): Promise<number> {
  const say = (line: string): void => console.error(line);
  const rows: Row[] = [];
  const failed: string[] = [];
  using folders = new DisposableStack();
  const bench: Bench = {
    runs: options.runs,
    disk: folderIn(options.disk, folders),
    tmpfs: isTmpfs(options.tmpfs) ? folderIn(options.tmpfs, folders) : undefined,
    before: options.before,
    say,
    report(row) {
      rows.push(row);
      say(textOf(row));
      // At once, so that a run that is broken off leaves what it knew.
      if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, undefined, 2)}\n`);
    },
  };
  if (isTmpfs(options.disk))
    say(`!!! ${options.disk} is no disk but a tmpfs: give another place with --disk`);
  if (bench.tmpfs === undefined) say(`!!! ${options.tmpfs} is no tmpfs: what needs one is not measured`);
  for (const one of cases) {
    say(`${one.name}: ${one.about}`);
    try {
      await one.run(bench);
    } catch (thrown) {
      failed.push(one.name);
      say(`!!! ${one.name} could not be measured: ${inspect(thrown)}`);
    }
  }
  console.log(markdownTable(rows));
  if (failed.length > 0) say(`!!! not measured: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

/** What `--profile` prints. */
async function profiled(options: Options): Promise<number> {
  const unknown = options.names.find((name) => !isProfiled(name));
  if (unknown !== undefined) return usage(`there is no profile of "${unknown}"`);
  if (!isTmpfs(options.tmpfs)) return usage(`${options.tmpfs} is no tmpfs: give another place with --tmpfs`);
  using folders = new DisposableStack();
  await profile(folderIn(options.tmpfs, folders), options.names);
  return 0;
}

/** A folder of our own in `parent` that is removed at the end, also when a signal ends this process. */
function folderIn(parent: string, folders: DisposableStack): string {
  const path = mkdtempSync(join(parent, 'isync-bench-'));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  process.once('exit', remove);
  folders.defer(remove);
  return path;
}

function isTmpfs(path: string): boolean {
  try {
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    // It is not there, so it is none.
    return false;
  }
}

function help(): number {
  console.log(`npm run bench                      measures everything and prints a Markdown table
npm run bench -- NAME…             only these cases, or all whose names begin so (small: small-disk, small-tmpfs)
npm run bench -- --profile [NAME…] what the time of small, mixed and big goes to, on tmpfs, by V8's profiler: a Markdown table

  --runs N      how often each thing is measured (5)
  --disk DIR    a folder on a disk (/var/tmp)
  --tmpfs DIR   a folder on a tmpfs (/dev/shm)
  --json FILE   also keep the rows there
  --before MAIN another build (its dist/cli/main.js) in the same turns, which no line should be slower than by 5 %

${CASES.map(({ name, about }) => `  ${name.padEnd(19)}${about}`).join('\n')}`);
  return 0;
}

function usage(fault: string): number {
  console.error(`bench: ${fault}; see npm run bench -- --help`);
  return 2;
}
