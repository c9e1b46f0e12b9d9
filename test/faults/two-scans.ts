import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLI_MAIN, runCli } from '../../harness/cli.ts';
import { until } from '../../harness/process.ts';
import { isSealed, temporaryFolder } from '../../harness/data-tree.ts';
import { childrenOf } from './victim.ts';

/** How long each fsync of the first scan takes, in ms: the second one does all of its work meanwhile. */
const SLOW_MS = 9_000;
/** How long the first one may take to put its version over the newer one, in ms. */
const PUT_BACK_MS = 20_000;
const STRACE = `strace -f -qqq -o /dev/null --trace=fsync --inject=fsync:delay_enter=${SLOW_MS * 1000}`.split(
  ' ',
);

/**
 * Two scans of one root into one folder, as of a job that is started again before it has ended: the slow one must not leave
 * an old version in a directory that the other has sealed.
 */
export async function twoScansOneFolder(): Promise<string> {
  await using folder = await temporaryFolder('two-scans');
  const [root, store] = [join(folder.path, 'root'), join(folder.path, 'store')];
  const [source, copy] = [join(root, 'DC1/f'), join(store, 'edge1/DC1/f')];
  mkdirSync(join(root, 'DC1'), { recursive: true });
  mkdirSync(store);
  writeFileSync(source, 'version 1\n');
  await sleep(500);
  const args = ['scan', root, '--to', store, '--device', 'edge1', '--once'];
  const [file = '', ...options] = STRACE;
  const slow = spawn(file, [...options, process.execPath, CLI_MAIN, ...args], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] },
  });
  try {
    await until('the first scan to have read the file', () => isStaged(store) || hasEnded(slow));
    if (hasEnded(slow)) throw new Error(`the first scan has ended with ${slow.exitCode}`);
    writeFileSync(`${source}.new`, 'version 2\n');
    renameSync(`${source}.new`, source);
    writeFileSync(join(root, 'DC1/finished.parse'), '');
    const second = await runCli(args);
    const deadline = performance.now() + PUT_BACK_MS;
    const isBack = (): boolean => existsSync(copy) && readFileSync(copy, 'utf8') === 'version 1\n';
    while (!hasEnded(slow) && !isBack() && performance.now() < deadline) await sleep(20);
    const putBack = isBack();
    // Before it can look again.
    killWhole(slow);
    const third = await runCli(args);
    const kept = existsSync(copy) ? readFileSync(copy, 'utf8').trim() : 'nothing';
    if (!isSealed(root, 'DC1')) throw new Error(`not sealed: ${third.stderr}`);
    if (kept !== 'version 2') throw new Error(`sealed with ${kept} at the target`);
    return `the second ended with ${second.exitCode}, the first ${putBack ? 'put its version over the newer one' : 'kept off'}; version 2 is at the target in the end`;
  } finally {
    killWhole(slow);
  }
}

function isStaged(store: string): boolean {
  const staging = join(store, '.isync/staging');
  return (
    existsSync(staging) &&
    readdirSync(staging, { recursive: true, encoding: 'utf8' }).some((path) => /(^|\/)put-/.test(path))
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function killWhole(child: ChildProcess): void {
  if (child.pid === undefined || hasEnded(child)) return;
  for (const pid of [...childrenOf(child.pid), child.pid])
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
}
