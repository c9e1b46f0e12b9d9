import { spawnSync } from 'node:child_process';

export const isRoot = process.getuid?.() === 0;

const known = new Map<string, string | undefined>();

const TRIES: Readonly<Record<string, readonly string[]>> = {
  strace: ['strace', '-f', '--seccomp-bpf', '-qqq', '-o', '/dev/null', '-e', 'trace=fsync', 'true'],
  'strace that kills': [
    'sh',
    '-c',
    'strace -f -qqq -o /dev/null -e inject=openat:signal=SIGKILL:when=1 true; test $? -eq 137',
  ],
  unshare: [
    'unshare',
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    'echo 9 > /proc/sys/user/max_inotify_watches',
  ],
  inotifywait: ['sh', '-c', 'command -v inotifywait'],
  prlimit: ['prlimit', '--nofile=64', 'true'],
};

/** Why the tool can't be used here; undefined where it can. */
export function available(tool: string): string | undefined {
  if (!known.has(tool)) {
    const [file = tool, ...args] = TRIES[tool] ?? [tool, '--version'];
    const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
    known.set(tool, status === 0 ? undefined : `${tool}: ${(error?.message ?? stderr).trim()}`);
  }
  return known.get(tool);
}

/** Why no small file system can be mounted. */
export const noMount = isRoot ? undefined : 'mounting a tmpfs needs root';
