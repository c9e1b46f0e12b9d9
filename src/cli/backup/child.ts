import { type ChildProcess, spawn } from 'node:child_process';
import type { BackupConfig } from '../../config/schemas/backup.ts';

/** From TERM to KILL, in ms: a run stops within some seconds, and whatever is killed goes on with the next. */
const KILL_AFTER_MS = 60_000;

export interface ChildOptions {
  readonly config: Pick<BackupConfig, 'stateDir' | 'logLevel' | 'logFormat' | 'stats'>;
  readonly configFile: string;
  /** Lets it end, as Ctrl-C would. */
  readonly signal: AbortSignal;
}

/** How a command of ours ended: with an exit code, or by a signal, or it could not be started. */
export type ChildEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly name: string }
  | { readonly kind: 'not started'; readonly error: Error };

/**
 * Runs `isync backup ARGS` as a process of its own, with the settings of this one; its log goes where ours goes. In a process group of its
 * own: a Ctrl-C is for us to pass on, and what kills us leaves a run to its end. Never rejects.
 */
export async function runBackupCommand(
  args: readonly string[],
  { config, configFile, signal }: ChildOptions,
): Promise<ChildEnd> {
  const [main = ''] = process.argv.slice(1);
  const log = ['--log-level', config.logLevel, '--log-format', config.logFormat];
  const settings = [
    '--config',
    configFile,
    '--state-dir',
    config.stateDir,
    '--stats',
    `${config.stats}ms`,
    ...log,
  ];
  const child = spawn(process.execPath, [...process.execArgv, main, 'backup', ...args, ...settings], {
    detached: true,
    // On a terminal several of them would each draw their progress on the same line.
    stdio: ['ignore', 'ignore', process.stderr.isTTY ? 'pipe' : 'inherit'],
  });
  child.stderr?.pipe(process.stderr, { end: false });
  const ended = endOf(child);
  let kill: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill('SIGTERM');
    kill = setTimeout(() => killGroup(child), KILL_AFTER_MS);
  };
  // Whoever asks us twice wants no more of it to run either. To a child that was asked already, it is the second time, too.
  const leave = (): void => void child.kill('SIGTERM');
  process.on('exit', leave);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await ended;
  } finally {
    clearTimeout(kill);
    signal.removeEventListener('abort', stop);
    process.off('exit', leave);
  }
}

function endOf(child: ChildProcess): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ kind: 'not started', error }));
    child.once('exit', (code, name) =>
      resolve(code === null ? { kind: 'signal', name: name ?? 'a signal' } : { kind: 'exit', code }),
    );
  });
}

/** With all that it has started. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
