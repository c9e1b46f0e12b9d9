import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAN_FOLDER, manPages } from './pages.ts';

// Writes the man pages: npm run man.
const folder = join(import.meta.dirname, '..', MAN_FOLDER);
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const [name, text] of manPages()) await writeFile(join(folder, name), text);
