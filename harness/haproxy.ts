import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliProcess } from './process.ts';
import { listens } from './listens.ts';

/** A real HAProxy, on loopback, of this process. Its own messages are in `stderr`. */
export type Haproxy = CliProcess;

/**
 * Starts Debian's HAProxy in the foreground, apart from the system's. Ask `lacks('haproxy')` of tools.ts before.
 * @param config as a whole
 * @param port which it listens on then
 */
export async function startHaproxy(config: string, port: number): Promise<Haproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, config);
  // It ends with this process, however that ends. Without -db it would leave for the background.
  const args = ['--pdeathsig', 'KILL', 'haproxy', '-db', '-f', file];
  const haproxy = new CliProcess(spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] }), ['haproxy']);
  void haproxy.ended.finally(() => rmSync(folder, { recursive: true, force: true })).catch(() => undefined);
  try {
    await haproxy.until('haproxy to listen', async () => await listens(port));
  } catch (error) {
    await haproxy[Symbol.asyncDispose]();
    throw error;
  }
  return haproxy;
}
