import { execFileSync } from 'node:child_process';

/**
 * Mounts an empty tmpfs of 1 MiB and 100 inodes at `path` and returns what unmounts it; undefined, loudly, where mounting is not
 * permitted. Under CI as root that is a failure, so that the tests which need it can't be lost unseen.
 */
export function mountTmpfs(path: string): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=100', 'isync-test', path], {
      stdio: 'pipe',
    });
  } catch (error) {
    if (process.env['CI'] !== undefined && process.getuid?.() === 0) throw error;
    console.warn(`SKIPPED: no tmpfs can be mounted here (${String(error)})`);
    return undefined;
  }
  return () => execFileSync('umount', [path]);
}
