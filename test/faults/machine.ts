import { spawnSync } from 'node:child_process';
import { type Gap, isRoot } from '../../harness/gaps.ts';

const known = new Map<string, Gap | undefined>();

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

/** Why the tool can't be used here; undefined where it can. Its first word is what has to be installed. */
export function available(tool: string): Gap | undefined {
  if (!known.has(tool)) known.set(tool, tryOut(tool));
  return known.get(tool);
}

function tryOut(tool: string): Gap | undefined {
  const [file = tool, ...args] = TRIES[tool] ?? [tool, '--version'];
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  const [program = tool] = tool.split(' ');
  const isInstalled = spawnSync('sh', ['-c', 'command -v "$0"', program]).status === 0;
  return {
    kind: isInstalled ? 'permission' : 'tool',
    why: `${tool}: ${(error?.message ?? stderr).trim()}`,
  };
}

/** Why no small file system can be mounted. */
export const noMount: Gap | undefined = isRoot
  ? undefined
  : { kind: 'permission', why: 'mounting a tmpfs needs root' };
