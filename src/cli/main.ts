#!/usr/bin/env node
// Versions of Node that are too old run this file as well, to say so: no static import, no syntax after ES2018 and no
// `await` outside of a function, which is more than they can parse.

/** The oldest version that package.json names under `engines`. */
const NEEDED = { major: 22, minor: 22 };

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEEDED.major || (major === NEEDED.major && minor >= NEEDED.minor);
}

/** Names what a process that was begun anew has in its environment for that alone. */
const ANEW = 'ISYNC_BEGUN_ANEW';
/**
 * Of the C library: it makes up to eight arenas for each processor, and keeps in each what was let go of there, under large requests
 * 12 MB, under a backup 100; and once a large buffer was let go of, others of its size leave holes in them. From the threshold on, in bytes,
 * they go back to the system: under a backup only those of whole parts and frames, for that takes time. Read once, before anything of
 * ours runs.
 */
const TIDY = {
  webhook: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65000' },
  backup: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '1000000' },
};
/** Of V8 under `isync webhook`, so that it does not grow by more between two looks at it; see heap-growth.ts. In MiB. */
const MOST_YOUNG = '--max-semi-space-size=4';
/** Of libuv, for `isync webhook`: each of its threads takes 50 kB, and few of them wait for a disk there. */
const FEW_THREADS = '16';

/** Begins `isync webhook`, `isync backup run` and `isync backup restore` anew, in the same process, with little memory of C and, the first, of V8: some 50 ms. */
function keepSmall(): void {
  const { argv, env, execArgv, execPath, platform } = process;
  const [command, next = '-'] = argv.slice(2);
  const own = env[ANEW];
  if (own !== undefined) {
    // What this process starts does as it pleases.
    for (const name of [ANEW, ...own.split(',')]) delete env[name];
    return;
  }
  const isWebhook = command === 'webhook' && next.startsWith('-');
  const isBackup = command === 'backup' && (next === 'run' || next === 'restore');
  // Of the descriptors that a shell has given, all but the first three would be closed.
  if (argv.some((value) => /(?:^|=)\/(?:dev|proc\/self)\/fd\//.test(value))) return;
  // The older versions of Node have no execve.
  if (!(isWebhook || isBackup) || platform !== 'linux' || process.execve === undefined) return;
  const tidy = isWebhook ? TIDY.webhook : TIDY.backup;
  const added = Object.entries(tidy).filter(([name]) => env[name] === undefined);
  const flags = isWebhook ? [MOST_YOUNG] : [];
  const names = added.map(([name]) => name).join(',');
  const anew = Object.assign({}, env, Object.fromEntries(added), { [ANEW]: names });
  process.execve(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], anew);
}

async function main(): Promise<void> {
  const { node } = process.versions;
  if (!isNewEnough(node)) {
    const { major, minor } = NEEDED;
    const found = `this is ${node} (${process.execPath})`;
    process.stderr.write(
      `isync: Node.js ${major}.${minor} or newer is needed, and ${found}; install one from https://nodejs.org, or put it first in PATH\n`,
    );
    process.exitCode = 2;
    return;
  }
  keepSmall();
  // libuv starts its threads at the first use and never more: before anything of ours touches a disk asynchronously,
  // which the import does. Many, because fsync of small files waits in them.
  if (process.env['UV_THREADPOOL_SIZE'] === undefined)
    process.env['UV_THREADPOOL_SIZE'] = process.argv[2] === 'webhook' ? FEW_THREADS : '64';
  const { start } = await import('./start.ts');
  await start(process.argv.slice(2));
}

void main();
