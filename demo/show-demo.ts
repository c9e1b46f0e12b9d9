import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addToken, startReceiver, startScan, stopScan, writeTokenFile } from '../harness/cli.ts';
import { startNode, until, type CliProcess } from '../harness/process.ts';
import { differences, filesBelow, isMarked, isSealed } from '../harness/data-tree.ts';
import { DemoFault } from './demo-fault.ts';
import { bytes, good, latencies, plural, status, tell, title } from './story.ts';

const DEVICE = 'edge1';
const DIRECTORIES = ['DC1', 'DC2', 'DC3'];
const PARSER = fileURLToPath(new URL('parser.ts', import.meta.url));

/** A parser, `isync scan` and `isync receive` at work together. What it starts goes onto `started`. */
export async function showDemo(started: AsyncDisposableStack): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-demo-'));
  const root = join(folder, 'edge', 'datas');
  const store = join(folder, 'server', 'store');
  await mkdir(root, { recursive: true });
  await mkdir(store, { recursive: true });
  console.log(`${title('isync demo')}: a parser fills data directories on an edge device; isync moves each file to a
backup server as soon as it is complete, and seals a directory when all of it is durable there.

  edge device    ${root}
  backup server  ${join(store, DEVICE)}
`);

  const tokens = join(folder, 'server', 'tokens.json');
  const tokenFile = await writeTokenFile(join(folder, 'edge'), DEVICE, await addToken(DEVICE, tokens));
  const receiver = started.use(await startReceiver(store, { args: ['--tokens', tokens] }));
  tell(`isync receive listens at ${receiver.url}`, `only "${DEVICE}" has a token`);
  const scan = started.use(
    startScan(root, { to: receiver.url, device: DEVICE, args: ['--token-file', tokenFile] }),
  );
  tell('isync scan looks after the edge device');
  const parser = started.use(startNode([PARSER, root, ...DIRECTORIES]));
  await follow(root, { scan, parser });
  await compare(root, join(store, DEVICE));

  const { summary } = await stopScan(scan);
  tell(
    `isync scan stopped: ${plural(summary.files, 'file')}, ${bytes(summary.bytes)}, ${plural(summary.problemCount, 'problem')}`,
  );
  console.log(`
Look around, then delete it:
  find ${folder} -type f | sort
  rm -r ${folder}`);
}

/** Tells what happens until the parser has ended and everything that it wrote is durable, marked and sealed. */
async function follow(root: string, processes: { scan: CliProcess; parser: CliProcess }): Promise<void> {
  const stories = DIRECTORIES.map((name) => new DirectoryStory(root, name));
  await until('the last directory to be sealed', async () => {
    for (const [name, cli] of Object.entries(processes)) checkAlive(name, cli);
    let done = processes.parser.over;
    for (const [index, story] of stories.entries())
      done = (await story.look(index === stories.length - 1)) && done;
    status(
      stories
        .map((story) => story.status)
        .filter(Boolean)
        .join('   '),
    );
    return done;
  });
  status('');
  const files = [...(await filesBelow(root))].filter(([path]) => !path.includes('/finished.'));
  tell(good(`all ${files.length} files are durable at the server and marked on the edge device`));
  const waits = files.map(([, stat]) => stat.ctimeMs - stat.mtimeMs);
  tell(`from a file's last write to its mark: ${latencies(waits)}`);
}

function checkAlive(name: string, cli: CliProcess): void {
  if (cli.over && (name === 'scan' || cli.exitCode !== 0))
    throw new DemoFault(`the ${name} has ended too early\n${cli.tail()}`);
}

async function compare(root: string, copy: string): Promise<void> {
  // DC3 has no parser's marker yet, and ours is never transferred.
  const faults = await differences(root, copy);
  if (faults.length > 0) throw new DemoFault(`the two sides differ: ${faults.join(', ')}`);
  const files = await filesBelow(copy);
  const size = [...files.values()].reduce((sum, stat) => sum + stat.size, 0);
  tell(
    good(`compared both sides byte by byte: ${plural(files.size, 'file')}, ${bytes(size)}, no difference`),
  );
}

/** What one data directory has come to, told once each. */
class DirectoryStory {
  status = '';
  readonly #root: string;
  readonly #name: string;
  #closedAtMs: number | undefined;
  #begun = false;
  #sealed = false;

  constructor(root: string, name: string) {
    this.#root = root;
    this.#name = name;
  }

  /** Returns whether all is done: sealed, or for the last one, which stays open, every file marked. */
  async look(last: boolean): Promise<boolean> {
    if (this.#sealed) return true;
    const sealed = isSealed(this.#root, this.#name);
    const found = await filesBelow(join(this.#root, this.#name));
    const files = [...found].filter(([path]) => !path.startsWith('finished.')).map(([, stat]) => stat);
    const marked = files.filter(isMarked).length;
    if (!this.#begun && files.length > 0) {
      this.#begun = true;
      tell(`${this.#name}: the parser writes`, last ? 'and will leave it open' : '');
    }
    const marker = found.get('finished.parse');
    if (marker !== undefined && this.#closedAtMs === undefined) {
      this.#closedAtMs = marker.ctimeMs;
      const size = files.reduce((sum, stat) => sum + stat.size, 0);
      tell(
        `${this.#name}: closed by the parser with finished.parse`,
        `${plural(files.length, 'file')}, ${bytes(size)}`,
      );
    }
    this.status = files.length > 0 && !sealed ? `${this.#name} ${marked} of ${files.length} durable` : '';
    if (sealed) this.#tellSealed(last, found.get('finished.watch')?.ctimeMs);
    return sealed || (last && files.length > 0 && marked === files.length);
  }

  #tellSealed(last: boolean, atMs = 0): void {
    if (last) throw new DemoFault(`${this.#name} was sealed though the parser has not closed it`);
    this.#sealed = true;
    tell(
      good(`${this.#name}: sealed with finished.watch`),
      `${(atMs - (this.#closedAtMs ?? 0)).toFixed(0)} ms after it was closed`,
    );
  }
}
