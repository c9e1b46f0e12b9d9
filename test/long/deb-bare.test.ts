import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { debFileName, makeDebPackages } from '../../harness/deb-packages.ts';
import { OtherRoot, otherRootFault } from '../../harness/other-root.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';

/** Where two bare Debians are kept from run to run: some 100 MB are fetched, and 600 made of them. Without it, it is left out. */
const KEPT = process.env['ISYNC_TEST_DEBIAN'];
const leftOut =
  KEPT === undefined ||
  [lacksRoot(), lacks('debootstrap'), mayNot('enter another root', otherRootFault())].includes(true);
const MIRROR = 'http://deb.debian.org/debian';
const VERSION = '0.1.0';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  if (leftOut) return;
  folder = await temporaryFolder('bare');
  await makeDebPackages(folder.path, { out: folder.path, versions: [VERSION] });
});

afterAll(async () => {
  if (!leftOut) await folder[Symbol.asyncDispose]();
});

function makeBare(release: string, at: string): void {
  mkdirSync(dirname(at), { recursive: true });
  // Whole, or not there.
  execFileSync('debootstrap', ['--variant=minbase', release, `${at}.new`, MIRROR], { stdio: 'pipe' });
  renameSync(`${at}.new`, at);
}

test.skipIf(leftOut).for(['stable', 'oldstable'])(
  'the package is installed on a bare Debian %s without network, and a pair of it moves files',
  async (release) => {
    const [bare, stage] = [join(resolve(KEPT ?? ''), release), join(folder.path, release)];
    if (!existsSync(bare)) makeBare(release, bare);
    mkdirSync(stage);
    const root = new OtherRoot(stage, bare);
    execFileSync('cp', [join(folder.path, debFileName(VERSION)), stage]);
    const moved = await root.run(`
      # The host's, whose file is not there.
      unset NODE_EXTRA_CA_CERTS
      dpkg --force-unsafe-io -i /stage/${debFileName(VERSION)}
      cd /; env -i PATH=/usr/bin:/bin isync --version
      for command in $(isync --help | sed -n 's/^  isync \\([a-z]*\\) .*/\\1/p' | sort -u); do isync $command --help > /dev/null; done
      install -d -o isync /srv/isync; mkdir -p /datas/DC1; echo one > /datas/DC1/a; touch /datas/DC1/finished.parse
      isync token add edge1 --tokens /etc/isync/tokens.json > /etc/isync/token; chmod 600 /etc/isync/token
      chown isync /etc/isync/tokens.json
      setpriv --reuid isync --regid isync --clear-groups isync receive /srv/isync --tokens /etc/isync/tokens.json &
      until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done
      isync scan /datas --to ws://127.0.0.1:7400 --device edge1 --token-file /etc/isync/token --once
      cmp /datas/DC1/a /srv/isync/edge1/DC1/a
      test -e /datas/DC1/finished.watch
      mkdir /backups
      echo "jobs: [{ name: app, sources: [/datas], to: [/backups], schedule: '0 3 * * *' }]" > /etc/isync/backup.yaml
      isync backup run --config /etc/isync/backup.yaml
      isync backup restore latest --to /back --config /etc/isync/backup.yaml
      cmp /datas/DC1/a /back/datas/DC1/a
      dpkg -P isync-files
      echo all is well`);
    expect(moved.output).toContain('all is well');
    expect(moved.exitCode).toBe(0);
  },
);
