import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../packaging/bundle.ts';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

/** The package as `npm run build` makes it, in `folder`; resolves to what Node is to run. */
export async function build(folder: string): Promise<string> {
  await mkdir(folder);
  for (const name of ['package.json', 'deploy'])
    await cp(join(CHECKOUT, name), join(folder, name), { recursive: true });
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  await bundle(join(folder, 'dist/cli'));
  return join(folder, 'dist/cli/main.js');
}
