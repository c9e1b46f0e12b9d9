import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.ts';

// Makes what is published anew, but for what `npm run build` lays beside it: node packaging/build.ts.
const dist = join(import.meta.dirname, '../dist');
rmSync(dist, { recursive: true, force: true });
await bundle(join(dist, 'cli'));
