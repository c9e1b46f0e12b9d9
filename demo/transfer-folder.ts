import { constants, type Stats } from 'node:fs';
import { access, lstat, mkdir, mkdtemp, readdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { scanOnce, startReceiver, type Summary } from '../harness/cli.ts';
import { filesBelow, isMarked, isSealed, sameContent } from '../harness/data-tree.ts';
import { DemoFault } from './demo-fault.ts';
import { bytes, good, plural, tell, title } from './story.ts';

const DEVICE = 'demo';
/** Instead of the usual ten minutes, which nobody waits for before a demo. */
const QUIET = '10s';
/** Problems and differences shown; the rest is counted. */
const MAX_SHOWN = 10;

/** Transfers the user's own data directories into a temporary folder. What it starts goes onto `started`. */
export async function transferFolder(given: string, started: AsyncDisposableStack): Promise<void> {
  const root = resolve(given);
  const before = await whatIsThere(root);
  const size = [...before.values()].reduce((sum, stat) => sum + stat.size, 0);
  console.log(`${title('isync demo')} with ${root}: ${plural(before.size, 'file')}, ${bytes(size)} to transfer.

Nothing is copied into your folder. isync only leaves its traces there:
  the mark        the group-write bit (chmod g+w) of each file that has been transferred
  finished.watch  an own small file in each data directory that is transferred as a whole
To take them back:  chmod -R g-w ${root}  and  find ${root} -name finished.watch -delete
`);
  await checkRoom(size);
  await checkWritable(root, before);
  const folder = await mkdtemp(join(tmpdir(), 'isync-demo-'));
  const store = join(folder, 'store');
  await mkdir(store);
  const receiver = started.use(await startReceiver(store));
  tell(`isync receive listens at ${receiver.url}`, 'for this machine only');
  tell('isync scan --once begins', `directories that the parser left unclosed must be quiet for ${QUIET}`);
  const { summary, exitCode } = await scanOnce(root, {
    to: receiver.url,
    device: DEVICE,
    args: ['--quiet', QUIET],
    showStderr: process.stderr.isTTY,
  });
  tell(
    `isync scan has ended: ${plural(summary.files, 'file')}, ${bytes(summary.bytes)}`,
    `exit code ${exitCode}`,
  );
  tellDirectories(summary);
  await compare(root, join(store, DEVICE), before);
  console.log(`
The copies are in ${join(store, DEVICE)}
Delete them:      rm -r ${folder}`);
  if (exitCode !== 0)
    throw new DemoFault(`isync scan could not do all of it (exit code ${exitCode}, see above)`);
}

/** The files that isync will transfer, by path: regular, in an unfinished data directory, without the mark. */
async function whatIsThere(root: string): Promise<Map<string, Stats>> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: Error) => {
    throw new DemoFault(`${root} can't be read: ${error.message}`);
  });
  const found = new Map<string, Stats>();
  for (const { name } of entries.filter((entry) => entry.isDirectory() && !isSealed(root, entry.name)))
    for (const [path, stat] of await filesBelow(join(root, name)))
      if (stat.isFile() && !path.startsWith('finished.') && !markedBefore(stat))
        found.set(`${name}/${path}`, stat);
  return found;
}

/** Of files with g+w, isync believes those whose mode was set after their last write. */
function markedBefore(stat: Stats): boolean {
  return isMarked(stat) && stat.mtimeMs < stat.ctimeMs;
}

async function checkRoom(size: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < size)
    throw new DemoFault(
      `${tmpdir()} has room for ${bytes(bavail * bsize)} only; choose another one with TMPDIR`,
    );
}

async function checkWritable(root: string, files: ReadonlyMap<string, Stats>): Promise<void> {
  const uid = process.getuid?.() ?? 0;
  for (const name of new Set([...files.keys()].map((path) => path.slice(0, path.indexOf('/')))))
    await access(join(root, name), constants.W_OK).catch(() => {
      throw new DemoFault(
        `${join(root, name)} is not writable for you, so isync can't write finished.watch into it.`,
      );
    });
  const foreign = [...files].find(([, stat]) => uid !== 0 && stat.uid !== uid);
  if (foreign !== undefined)
    throw new DemoFault(
      `${join(root, foreign[0])} is not yours, so isync can't mark it; run this as the owner of the files, or as root.`,
    );
}

function tellDirectories({ directories, problems, problemCount }: Summary): void {
  const sealed = directories.filter((directory) => directory.sealed);
  if (sealed.length > 0) tell(good(`sealed: ${shorten(sealed.map(({ name }) => name))}`));
  const open = directories.filter((directory) => !directory.sealed);
  if (open.length > 0)
    tell(
      `not sealed: ${shorten(open.map(({ name, state }) => `${name} (${state})`))}`,
      'the newest stays open until finished.parse',
    );
  for (const { path, code, message } of problems.slice(0, MAX_SHOWN))
    tell(`problem: ${path}`, `${code}, ${message}`);
  if (problemCount > MAX_SHOWN) tell(`and ${plural(problemCount - MAX_SHOWN, 'more problem')}`);
}

function shorten(names: readonly string[]): string {
  const more = names.length - MAX_SHOWN;
  return names.slice(0, MAX_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

async function compare(root: string, copy: string, before: ReadonlyMap<string, Stats>): Promise<void> {
  const [faults, changed]: [string[], string[]] = [[], []];
  let same = 0;
  for (const [path, stat] of before) {
    const now = await lstat(join(root, path)).catch(() => undefined);
    if (now === undefined || now.size !== stat.size || now.mtimeMs !== stat.mtimeMs) changed.push(path);
    else if (await sameContent(join(root, path), join(copy, path))) same++;
    else faults.push(path);
  }
  if (changed.length > 0) tell(`written to meanwhile, not compared: ${shorten(changed)}`);
  if (faults.length > 0) throw new DemoFault(`not the same at the target: ${shorten(faults)}`);
  tell(good(`compared with what was there, byte by byte: ${plural(same, 'file')}, no difference`));
}
