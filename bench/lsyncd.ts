import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { startProgram } from './process.ts';

export interface Lsyncd extends AsyncDisposable {}

/**
 * lsyncd with its rsync, to an rsync daemon on loopback: both as their manuals show them, but for the delay, whose
 * default is 15 s. `folder` takes their settings.
 */
export async function startLsyncd(
  folder: string,
  root: string,
  copy: string,
  delayS: number,
): Promise<Lsyncd> {
  await using stack = new AsyncDisposableStack();
  await mkdir(copy, { recursive: true });
  const port = await freePort();
  const daemonFile = join(folder, 'rsyncd.conf');
  await writeFile(
    daemonFile,
    `use chroot = no\nlog file = ${folder}/rsyncd.log\n[copy]\npath = ${copy}\nread only = no\nuid = ${process.getuid?.()}\ngid = ${process.getgid?.()}\n`,
  );
  stack.use(
    startProgram('rsync', [
      '--daemon',
      '--no-detach',
      `--config=${daemonFile}`,
      '--address=127.0.0.1',
      `--port=${port}`,
    ]),
  );
  const settingsFile = join(folder, 'lsyncd.conf');
  await writeFile(
    settingsFile,
    `settings { nodaemon = true, insist = true, statusFile = "${folder}/lsyncd.status" }
sync { default.rsync, source = "${root}", target = "rsync://127.0.0.1:${port}/copy", delay = ${delayS} }
`,
  );
  stack.use(startProgram('lsyncd', [settingsFile]));
  const owned = stack.move();
  return { [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
