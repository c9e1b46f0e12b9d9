import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { debFileName, makeDebPackages } from '../../harness/deb-packages.ts';
import { OtherRoot, otherRootFault } from '../../harness/other-root.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { PACKAGE } from '../../packaging/deb/names.ts';
import { upgradeUnderLoad } from './deb-upgrade.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
const [OLD, NEW] = ['0.0.9', '0.1.0'];

const leftOut = [
  lacksRoot(),
  lacks('inotifywait'),
  lacks('openssl'),
  mayNot('enter another root', otherRootFault()),
].includes(true);
/** It takes half a minute: ISYNC_TEST_LINTIAN=1 asks for it. */
const withoutLintian = process.env['ISYNC_TEST_LINTIAN'] === undefined || lacks('lintian');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: OtherRoot;

beforeAll(async () => {
  if (leftOut) return;
  folder = await temporaryFolder('deb');
  const stage = join(folder.path, 'stage');
  mkdirSync(stage);
  root = new OtherRoot(stage);
  await makeDebPackages(folder.path, { out: stage, versions: [OLD, NEW] });
});

afterAll(async () => {
  if (!leftOut) await folder[Symbol.asyncDispose]();
});

/** The package of a version, as it is called in the other root. */
function packageOf(version: string): string {
  return `/stage/${debFileName(version)}`;
}

test.skipIf(leftOut || withoutLintian)('lintian has nothing to say about the package', () => {
  const file = join(folder.path, packageOf(NEW));
  // How it is compressed is for the test alone.
  const left = [
    '--suppress-tags',
    'uses-no-compression-for-data-tarball,uses-no-compression-for-control-tarball',
  ];
  const args = ['--allow-root', '--tag-display-limit', '0', '--fail-on', 'warning', ...left, file];
  const { status, stdout, stderr } = spawnSync('lintian', args, { encoding: 'utf8' });
  expect({ status, told: stdout + stderr }).toEqual({ status: 0, told: '' });
});

test.skipIf(leftOut)(
  'the package is installed, works, is upgraded with its settings kept, removed and purged with the data kept',
  async () => {
    const installed = await root.run(`
      dpkg --force-unsafe-io -i ${packageOf(OLD)}
      isync --version
      getent passwd isync isync-backup
      test "$(command -v isync)" = /usr/bin/isync
      cd /; env -i PATH=/usr/bin:/bin isync help scan | grep -q -- --quiet
      MANPATH=/usr/share/man man -w isync-scan
      systemd-analyze verify /usr/lib/systemd/system/isync-receive.service
      . /usr/share/bash-completion/completions/isync
      COMP_WORDS=(isync rec); COMP_CWORD=1; _isync_yargs_completions; echo "completed: \${COMPREPLY[*]}"
      for each in usr/lib/isync etc/isync; do find /$each ! -user root -o -perm /022 ! -type l; done`);
    expect(installed).toMatchObject({ exitCode: 0 });
    expect(installed.output).toContain(`\n${readVersion()}\n`);
    expect(installed.output).toMatch(/^isync:.*:\/usr\/sbin\/nologin$/m);
    expect(installed.output).toMatch(/^isync-backup:/m);
    expect(installed.output).toContain('completed: receive');

    // The pair of README, with the unit's own command, user and credential.
    const paired = await root.run(`
      isync init --role server --where /srv/isync --name localhost --unit | tee /stage/printed
      unit=/etc/systemd/system/isync-receive.service
      grep '^ExecStart=/usr/lib/isync/bin/node /usr/lib/isync/dist/cli/main.js receive' $unit
      mkdir /run/credentials-isync
      IFS=: read -r name file < <(sed -n 's/^LoadCredential=//p' $unit)
      install -o isync "$file" "/run/credentials-isync/$name"
      setpriv --reuid isync --regid isync --clear-groups $(sed -n 's|%d|/run/credentials-isync|; s/^ExecStart=//p' $unit) &
      until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done
      mkdir -p /datas/DC1; echo one > /datas/DC1/a; touch /datas/DC1/finished.parse
      line=$(sed -n "s/.*isync init --join '\\(.*\\)'.*/\\1/p" /stage/printed)
      isync init --join "$line" --where /datas
      isync doctor scan --config /etc/isync/scan.yaml
      isync scan --config /etc/isync/scan.yaml --once
      cmp /datas/DC1/a /srv/isync/edge1/DC1/a
      test -e /datas/DC1/finished.watch
      echo all is well`);
    expect(paired.output).toContain('all is well');

    const upgraded = await root.run(`
      echo '# ours' >> /etc/isync/isync.yaml
      dpkg --force-unsafe-io -i ${packageOf(NEW)} < /dev/null
      tail -n 1 /etc/isync/isync.yaml
      dpkg-query -W -f '\${Version} \${Status}\\n' ${PACKAGE}
      dpkg --verify ${PACKAGE}`);
    expect(upgraded.output).toContain('# ours');
    expect(upgraded.output).toContain(`${NEW} install ok installed`);

    const removed = await root.run(`
      dpkg -r ${PACKAGE}
      ! command -v isync
      test ! -e /usr/lib/isync
      grep -q '# ours' /etc/isync/isync.yaml
      dpkg -P ${PACKAGE}
      test ! -e /etc/isync/isync.yaml
      ! dpkg-query -W ${PACKAGE} 2>/dev/null
      # What is kept, what lets devices in, and whose it is.
      cmp /datas/DC1/a /srv/isync/edge1/DC1/a
      test -s /etc/isync/tokens.json
      getent passwd isync >/dev/null
      echo the data is there`);
    expect(removed).toMatchObject({ exitCode: 0 });
    expect(removed.output).toContain('the data is there');
  },
);

test.skipIf(leftOut)(
  'an upgrade in the middle of an upload: the receiver is started again, the device goes on, and nothing is lost; removal stops it, purge leaves no unit',
  async () => {
    const stage = join(folder.path, 'running');
    mkdirSync(stage);
    for (const version of [OLD, NEW])
      linkSync(join(folder.path, packageOf(version)), join(stage, debFileName(version)));
    const script = upgradeUnderLoad(debFileName(OLD), debFileName(NEW));
    const { exitCode, output } = await new OtherRoot(stage).run(script);
    expect(output).toContain('all is well');
    expect(exitCode).toBe(0);
    const asked = (when: string): string =>
      new RegExp(`asked at ${when}:\n((?:systemctl .*\n)*)`).exec(output)?.[1] ?? '';
    // The first one starts nothing: there are no settings.
    expect(asked('installation')).toBe('systemctl --system daemon-reload\n');
    expect(asked('upgrade')).toContain(
      'systemctl --system daemon-reload\nsystemctl try-restart isync-*.service\n',
    );
    expect(asked('removal')).toMatch(
      /systemctl stop isync-\*\.service\n(?:.*\n)*systemctl --system daemon-reload\n/,
    );
    expect(asked('purge')).toBe('systemctl --system daemon-reload\n');
  },
);

/** The instructions of deploy/Containerfile in their order: name and the rest, lines that go on joined. */
function instructions(): readonly (readonly [name: string, text: string])[] {
  const text = readFileSync(join(CHECKOUT, 'deploy/Containerfile'), 'utf8');
  return text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .trim()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const);
}

/** Of the first instruction of that name. */
function instruction(wanted: string): string {
  return instructions().find(([name]) => name === wanted)?.[1] ?? `no ${wanted}`;
}

test.skipIf(leftOut)(
  'what the steps of the container file make runs as no root on a root that is read-only, says that it is well, and stops in order',
  async () => {
    const stage = join(folder.path, 'container');
    mkdirSync(join(stage, 'context'), { recursive: true });
    copyFileSync(join(folder.path, packageOf(NEW)), join(stage, 'context', basename(packageOf(NEW))));
    const image = new OtherRoot(stage);
    // All that it installs beside the package is here already; nothing else of the network is needed.
    const steps = instruction('RUN')
      .replace(/--mount=\S+ /, '')
      .replace('apt-get update && ', '');
    const health = instruction('HEALTHCHECK').replace(/^.*? CMD /, '');
    const entry = (JSON.parse(instruction('ENTRYPOINT')) as string[]).join(' ');
    const user = instruction('USER');
    const made = await image.run(
      `rm -rf /var/lib/apt/lists/*; mkdir /context; mount --bind /stage/context /context; ${steps}`,
    );
    expect(made).toMatchObject({ exitCode: 0 });
    const ran = await image.run(`
      mkdir -p /srv/isync
      for volume in ${(JSON.parse(instruction('VOLUME')) as string[]).join(' ')}; do mount --bind $volume $volume; done
      mount -o remount,bind,ro /
      ! touch /here 2>/dev/null
      cat > /tmp/run <<'RUN'
      cd /; export ${instruction('ENV')}
      healthy() { ${health}; }
      ! healthy 2>/dev/null
      ${entry} receive /srv/isync --listen 127.0.0.1:7400 &
      until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done
      # The port is there a moment before whom it asks.
      until healthy; do sleep 0.1; done; echo healthy
      kill -s ${instruction('STOPSIGNAL').replace('SIG', '')} %1
      wait %1; echo "ended with $?"
      ! healthy 2>/dev/null && echo 'nothing answers'
RUN
      exec setpriv --reuid ${user} --regid ${user} --clear-groups bash /tmp/run`);
    expect(ran.output).toMatch(/^healthy$/m);
    expect(ran.output).toMatch(/^ended with (?:0|130)$/m);
    expect(ran.output).toMatch(/^nothing answers$/m);
    expect(user).not.toMatch(/root|^0$/);
  },
);

function readVersion(): string {
  return (JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }).version;
}
