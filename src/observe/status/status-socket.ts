import { once } from 'node:events';
import { chmodSync, readdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { StatusReport } from './report.ts';

/** Clients at a time: people, and a program that looks every few seconds. */
const MAX_CLIENTS = 16;
/** A client that reads nothing for so long is cut, in ms. */
const STALL_MS = 5_000;
/** Bytes of a path that the kernel takes: sun_path of unix(7), less the NUL at its end. */
const MAX_PATH_BYTES = 107;
/** COMMAND-PID.sock; a folder may hold other things. */
const NAME = /^([a-z]+)-(\d+)\.sock$/;

export interface StatusSocketOptions {
  readonly folder: string;
  readonly command: string;
  /** Asked once for each client. */
  readonly report: () => StatusReport;
}

/** A socket of which each client that connects gets the report of that moment as JSON, then the end. */
export interface StatusSocket extends AsyncDisposable {
  readonly path: string;
}

/**
 * Listens for whoever asks how this process is, and removes what dead processes have left in the folder. Nothing is read of a client, and
 * nothing is reckoned before one comes. It keeps no process alive.
 * @throws IsyncError CONFIG_INVALID where no socket can be made there
 */
export async function openStatusSocket({
  folder,
  command,
  report,
}: StatusSocketOptions): Promise<StatusSocket> {
  await removeStale(folder);
  const path = join(folder, `${command}-${process.pid}.sock`);
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw unusable(path, `its path has more than ${MAX_PATH_BYTES} bytes`);
  const server = createServer((client) => {
    // It has left.
    client.on('error', () => undefined);
    client.setTimeout(STALL_MS, () => client.destroy());
    client.resume();
    client.end(JSON.stringify(report()));
  });
  server.maxConnections = MAX_CLIENTS;
  server.unref();
  try {
    await listen(server, path);
    // The folder is ours alone, unless a unit made it.
    chmodSync(path, 0o600);
  } catch (error) {
    server.close();
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
  // A fault in accepting, such as too many open files: the next client is accepted again.
  server.on('error', () => undefined);
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
    },
  };
}

/** Returns the sockets in a folder, by the names that commands give them. */
export function socketsIn(
  folder: string,
): { readonly path: string; readonly command: string; readonly pid: number }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // Gone, or not for us.
    return [];
  }
  return names.toSorted().flatMap((name) => {
    const [, command, pid] = NAME.exec(name) ?? [];
    return command === undefined ? [] : [{ path: join(folder, name), command, pid: Number(pid) }];
  });
}

async function listen(server: Server, path: string): Promise<void> {
  try {
    server.listen(path);
    await once(server, 'listening');
  } catch (error) {
    // Of a process that had our number and was killed.
    if (errnoOf(error) !== 'EADDRINUSE' || !(await isDeserted(path))) throw error;
    unlinkSync(path);
    server.listen(path);
    await once(server, 'listening');
  }
}

/** Removes sockets of processes that were killed. Another container may share the folder and not its numbers: so nobody must listen either. */
async function removeStale(folder: string): Promise<void> {
  for (const { path, pid } of socketsIn(folder)) {
    if (isAlive(pid) || !(await isDeserted(path))) continue;
    try {
      unlinkSync(path);
    } catch {
      // Another command has removed it.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/** Whether nobody listens at a socket. */
async function isDeserted(path: string): Promise<boolean> {
  const client = connect(path);
  try {
    await once(client, 'connect');
    return false;
  } catch (error) {
    return errnoOf(error) === 'ECONNREFUSED';
  } finally {
    client.destroy();
  }
}

function unusable(path: string, reason: string, cause?: unknown): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the status socket can't be made: ${reason}`, { path, cause });
}
