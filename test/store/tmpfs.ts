import { execFileSync, spawnSync } from 'node:child_process';
import { mayNot } from '../../harness/tools.ts';

const MOUNT = ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=100', 'isync-test'];

/**
 * Mounts an empty tmpfs of 1 MiB and 100 inodes at `path` and returns what unmounts it; undefined where mounting is not
 * permitted.
 */
export function mountTmpfs(path: string): (() => void) | undefined {
  const { status, stderr } = spawnSync('mount', [...MOUNT, path], { encoding: 'utf8' });
  if (mayNot('mount a tmpfs', status === 0 ? undefined : (stderr.split('\n')[0] ?? ''))) return undefined;
  return () => execFileSync('umount', [path]);
}
