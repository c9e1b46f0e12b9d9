import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { ARCHITECTURE, MAINTAINER, PACKAGE } from './names.ts';

const FILES = join(import.meta.dirname, 'files');
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** Adds DEBIAN/ to the folder of a package: what dpkg knows of it, and runs (deb-control(5)). */
export function writeControl(root: string, version: string): void {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
    .toSorted();
  const folder = join(root, 'DEBIAN');
  mkdirSync(folder);
  for (const name of SCRIPTS) {
    copyFileSync(join(FILES, name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const inEtc = files.filter((path) => path.startsWith('etc/'));
  write('conffiles', inEtc.map((path) => `/${path}\n`).join(''));
  write('md5sums', files.map((path) => `${digestOf(join(root, path))}  ${path}\n`).join(''));
  const bytes = files.reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
  write('control', controlOf(version, Math.ceil(bytes / 1024)));
}

/** md5, for dpkg asks for it: it finds damage, and is no protection. */
function digestOf(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

function controlOf(version: string, kilobytes: number): string {
  // The libraries are those of Node's binary, in the versions that its BUILDING.md names.
  return `Package: ${PACKAGE}
Version: ${version}
Architecture: ${ARCHITECTURE}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 9), passwd
Recommends: ca-certificates, inotify-tools, openssl
Suggests: age, zstd
Section: net
Priority: optional
Description: moves finished files to where they are kept, verified
 isync sends each file that a device has finished to a backup server or an
 object store, and marks it once it is durable there. It survives bad links,
 full disks and power cuts: nothing is marked before it is durable, and nobody
 ever sees half a file.
 .
 It also follows the events of buckets (S3, SQS, webhooks), fills a bucket from
 an older origin, and makes backups by a schedule.
 .
 This is not mbsync, the mail tool in Debian's package isync. Node is included.
`;
}
