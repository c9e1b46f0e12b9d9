import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Names the folder of one process (one open store of it) so that others can tell whether it still lives:
 * "HOST-PID-START-RANDOM". HOST stands for boot and PID namespace, because a PID means nothing outside of them;
 * START is the process's start time, because PIDs are used again.
 */
export function nameForThisProcess(): string {
  return [HOST, process.pid, startTime(process.pid) ?? 0, randomBytes(6).toString('hex')].join('-');
}

/** 'unknown': the process is of another host, container or boot. It may live, and may have its files open. */
export type Liveness = 'alive' | 'dead' | 'unknown';

export function livenessOf(name: string): Liveness {
  const [, host, pid, start] = OWNER_NAME.exec(name) ?? [];
  if (host !== HOST || pid === undefined) return 'unknown';
  if (!exists(Number(pid))) return 'dead';
  const started = startTime(Number(pid));
  if (started === undefined) return 'unknown';
  return started === start ? 'alive' : 'dead';
}

const OWNER_NAME = /^([0-9a-f]+)-([0-9]{1,10})-([0-9]{1,20})-[0-9a-f]+$/;

const HOST = hostKey();

function hostKey(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    return createHash('sha256')
      .update(boot)
      .update(readlinkSync('/proc/self/ns/pid'))
      .digest('hex')
      .slice(0, 16);
  } catch {
    // Not Linux, or without /proc: equal to nobody's, so that all others are 'unknown', which is always safe.
    return randomBytes(8).toString('hex');
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // ESRCH is the one answer that says no; EPERM means that it is somebody else's.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** Clock ticks from boot to the start of a process (proc_pid_stat(5), field 22); undefined where that can't be read. */
function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // No /proc, or the process is hidden from us, or it has ended just now.
    return undefined;
  }
  // The second field is the command in parentheses and may hold anything, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended, not yet waited for' : fields[19];
}
