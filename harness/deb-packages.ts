import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manPages } from '../man/pages.ts';
import { ARCHITECTURE, PACKAGE } from '../packaging/deb/names.ts';
import { build } from './build.ts';

const CHECKOUT = join(import.meta.dirname, '..');

/** Makes the Debian package of this checkout once for each of `versions`, in `out`; works in `folder`, which has no other files. */
export async function makeDebPackages(
  folder: string,
  { out, versions }: { readonly out: string; readonly versions: readonly string[] },
): Promise<void> {
  const dist = join(await build(join(folder, 'package')), '../..');
  mkdirSync(join(dist, 'man'));
  for (const [name, text] of manPages()) writeFileSync(join(dist, 'man', name), text);
  const main = join(CHECKOUT, 'packaging/deb/main.ts');
  for (const version of versions) {
    const args = ['--version', version, '--dist', dist, '--out', out, '--compression', 'none'];
    execFileSync(process.execPath, [main, ...args], { stdio: 'pipe' });
  }
}

/** The file name of a version. */
export function debFileName(version: string): string {
  return `${PACKAGE}_${version}_${ARCHITECTURE}.deb`;
}
