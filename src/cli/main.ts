#!/usr/bin/env node
// Versions of Node that are too old run this file as well, to say so: no static import, no syntax after ES2018 and no
// `await` outside of a function, which is more than they can parse.

/** The oldest version that package.json names under `engines`. */
const NEEDED = { major: 22, minor: 22 };

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEEDED.major || (major === NEEDED.major && minor >= NEEDED.minor);
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
  // libuv starts its threads at the first use and never more: before anything of ours touches a disk asynchronously,
  // which the import does. Many, because fsync of small files waits in them.
  if (process.env['UV_THREADPOOL_SIZE'] === undefined) process.env['UV_THREADPOOL_SIZE'] = '64';
  const { start } = await import('./start.ts');
  await start(process.argv.slice(2));
}

void main();
