import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { copyrightOf, LICENCE_FILE } from './licences.ts';
import { HOME, MAINTAINER, PACKAGE } from './names.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
const FILES = join(import.meta.dirname, 'files');
const DOC = `usr/share/doc/${PACKAGE}`;
const NODE = 'node_modules/node';

/** Of a package of npm: what nothing runs. Licences are in the copyright file. */
const IDLE = /\.(?:md|markdown|map|ts|mts|cts|flow|tsbuildinfo|html|sh)$|^\./i;
/** Of its own folders: also binaries for other than Node. */
const IDLE_FOLDERS = /^(?:tests?|docs?|examples?|bench(?:marks?)?|prebuilds|node_modules)$/;

/**
 * Lays the files of the package out below `root`, as they will be below "/".
 * @param dist what `npm run build` has made
 */
export function layOut(root: string, version: string, dist: string): void {
  const place = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const copy = (from: string, to: string, filter: (path: string) => boolean = () => true): void =>
    cpSync(join(CHECKOUT, from), join(root, to), { recursive: true, filter });

  const modules = runtimeModules();
  cpSync(dist, join(root, HOME, 'dist'), { recursive: true, filter: (path) => path !== join(dist, 'man') });
  copy('deploy', `${HOME}/deploy`);
  copy('package.json', `${HOME}/package.json`);
  for (const path of modules) copy(path, `${HOME}/${path}`, (each) => isUsed(join(CHECKOUT, path), each));
  copy(`${NODE}/bin/node`, `${HOME}/bin/node`);
  place('usr/bin/isync', own('isync'));

  place('etc/isync/isync.yaml', own('isync.yaml'));
  place(`usr/lib/sysusers.d/${PACKAGE}.conf`, own('sysusers.conf'));
  for (const unit of globSync('deploy/*.service', { cwd: CHECKOUT }))
    copy(unit, `usr/lib/systemd/system/${basename(unit)}`);

  for (const page of readdirSync(join(dist, 'man')))
    place(`usr/share/man/man1/${page}.gz`, zipped(readFileSync(join(dist, 'man', page))));
  place('usr/share/bash-completion/completions/isync', completion(dist, 'bash'));
  place('usr/share/zsh/vendor-completions/_isync', completion(dist, 'zsh'));

  for (const document of ['README.md', 'CHANGELOG.md', 'docs']) copy(document, `${DOC}/${document}`);
  place(`${DOC}/copyright`, copyrightOf(CHECKOUT, modules));
  place(`${DOC}/node-copyright`, readFileSync(nodeLicence()));
  place(`${DOC}/changelog.gz`, zipped(Buffer.from(changelogOf(version))));
  place(`usr/share/lintian/overrides/${PACKAGE}`, own('lintian-overrides'));
  setModes(root);
}

function own(name: string): Buffer {
  return readFileSync(join(FILES, name));
}

/** The packages that isync needs where it runs, as paths in this checkout. */
function runtimeModules(): string[] {
  const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: CHECKOUT,
    encoding: 'utf8',
  });
  const [, ...paths] = listed.trim().split('\n');
  return paths.map((path) => relative(CHECKOUT, path)).toSorted();
}

/** Whether a file or folder of the package at `module` goes along. What is nested in it is a package of its own. */
function isUsed(module: string, path: string): boolean {
  if (path === module) return true;
  const name = basename(path);
  const isTop = dirname(path) === module;
  if (isTop && (IDLE_FOLDERS.test(name) || LICENCE_FILE.test(name))) return false;
  return !IDLE.test(name);
}

/** Beside the binary, in the package of the machine's architecture. */
function nodeLicence(): string {
  const [found] = globSync(`${NODE}/node_modules/node-*/LICENSE`, { cwd: CHECKOUT });
  if (found === undefined) throw new Error(`${NODE} has no LICENSE: run npm ci`);
  return join(CHECKOUT, found);
}

/** The script that yargs makes for the shell it is asked from. */
function completion(dist: string, shell: 'bash' | 'zsh'): string {
  return execFileSync(process.execPath, [join(dist, 'cli/main.js'), 'completion'], {
    env: { ...process.env, SHELL: `/bin/${shell}`, ZSH_NAME: shell === 'zsh' ? shell : '' },
    encoding: 'utf8',
  });
}

/** In the form that Debian's tools read; what has changed stands in CHANGELOG.md. */
function changelogOf(version: string): string {
  const second = Number(process.env['SOURCE_DATE_EPOCH'] ?? Math.floor(Date.now() / 1000));
  const date = new Date(second * 1000).toUTCString().replace('GMT', '+0000');
  return `${PACKAGE} (${version}) unstable; urgency=medium

  * What has changed stands in CHANGELOG.md, beside this file.

 -- ${MAINTAINER}  ${date}
`;
}

function zipped(content: Buffer): Buffer {
  return gzipSync(content, { level: 9 });
}

/** Whatever the checkout's are: the package's are root's, and everybody reads them. */
function setModes(root: string): void {
  const programs = new Set(['usr/bin/isync', `${HOME}/bin/node`]);
  chmodSync(root, 0o755);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, entry.isDirectory() || programs.has(relative(root, path)) ? 0o755 : 0o644);
  }
}
