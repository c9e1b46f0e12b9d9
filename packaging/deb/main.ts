import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readVersion } from '../../src/cli/version.ts';
import { writeControl } from './control.ts';
import { layOut } from './lay-out.ts';
import { ARCHITECTURE, PACKAGE } from './names.ts';

// Makes the Debian package of what `npm run build` has made: npm run deb -- [--out FOLDER].
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: '.' },
    version: { type: 'string', default: readVersion() },
    dist: { type: 'string', default: join(import.meta.dirname, '../../dist') },
    // As dpkg-deb's -Z.
    compression: { type: 'string', default: 'xz' },
  },
});
const { version, out, dist, compression } = values;
process.umask(0o022);
const root = mkdtempSync(join(tmpdir(), 'isync-deb-'));
try {
  layOut(root, version, resolve(dist));
  writeControl(root, version);
  mkdirSync(out, { recursive: true });
  const file = resolve(out, `${PACKAGE}_${version}_${ARCHITECTURE}.deb`);
  const args = [`-Z${compression}`, '--root-owner-group', '--build', root, file];
  execFileSync('dpkg-deb', args, { stdio: 'inherit' });
} finally {
  rmSync(root, { recursive: true, force: true });
}
