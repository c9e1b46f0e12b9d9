import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

/** Commits of this project that test an upgrade: 0.1.0 as it first was whole, and five days later. */
export const OLD_VERSIONS = {
  first: '865f71f60a4b9d4adeec0c9e2471181085da848f',
  later: '89a31f573100ecc98d7770106b52b558fb29f39a',
} as const;

/** Whether the checkout has a commit: a package has no history, and a shallow clone not all of it. */
export function hasCommit(commit: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: CHECKOUT, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Puts isync as a commit has it into `folder`, on the dependencies of today. Returns what Node is to run. */
export function oldVersion(commit: string, folder: string): string {
  mkdirSync(folder);
  const archive = execFileSync('git', ['archive', commit, 'src', 'package.json'], {
    cwd: CHECKOUT,
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync('tar', ['-x'], { cwd: folder, input: archive });
  symlinkSync(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'src/cli/main.ts');
}
