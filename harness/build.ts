import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

/** The package as `npm run build` makes it, in `folder`; resolves to what Node is to run. */
export async function build(folder: string): Promise<string> {
  await mkdir(folder);
  await cp(join(CHECKOUT, 'package.json'), join(folder, 'package.json'));
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  const compiler = join(CHECKOUT, 'node_modules/typescript/bin/tsc');
  const options = ['-p', join(CHECKOUT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')];
  await promisify(execFile)(process.execPath, [compiler, ...options]);
  const page = 'cli/status/page';
  await cp(join(CHECKOUT, 'src', page), join(folder, 'dist', page), { recursive: true });
  return join(folder, 'dist/cli/main.js');
}
