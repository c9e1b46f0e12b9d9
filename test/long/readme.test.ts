import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startNode } from '../../harness/process.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { ANSWER, linesBetween, START_UNIT } from '../../harness/typed-lines.ts';

/** Namespaces of its own: what runs in them ends with the first process of theirs. */
const APART = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Brings the loopback up. */
const LOOPBACK = `python3 -c 'import fcntl,socket,struct;fcntl.ioctl(socket.socket(),0x8914,struct.pack("16sh",b"lo",0x41))'`;

/**
 * Runs "$@" in a machine of its own as far as a README reaches: /etc is a copy of the host's, /srv, /datas and /run are empty, the rest is
 * the host's; its loopback has no other programs. $1 is a folder for it.
 */
const MACHINE = `
set -eu
machine=$1; shift
mount --make-rprivate /
mount -t tmpfs isync-test "$machine"
for entry in /*; do
  name=\${entry#/}
  case $name in etc|srv|datas|run|isync) continue ;; esac
  if [ -L "$entry" ]; then cp -a "$entry" "$machine/"
  elif [ "$name" = tmp ]; then mkdir -p "$machine/tmp" && mount --bind /tmp "$machine/tmp"
  elif [ -d "$entry" ]; then mkdir "$machine/$name" && mount --rbind "$entry" "$machine/$name"
  fi
done
cp -a /etc "$machine/etc"
mkdir "$machine/srv" "$machine/datas" "$machine/run"
${LOOPBACK}
echo '127.0.0.1 backup.example' >> "$machine/etc/hosts"
exec chroot "$machine" "$@"
`;

const canBeMade =
  spawnSync('unshare', [...APART, 'sh', '-c', `mount -t tmpfs x /mnt && ${LOOPBACK}`]).status === 0;
const leftOut = [
  lacksRoot(),
  lacks('openssl'),
  lacks('python3'),
  lacks('inotifywait'),
  mayNot('make a machine of namespaces', canBeMade ? undefined : 'unshare fails'),
].includes(true);

/** A certificate for backup.example in `folder`, which its own authority has signed. */
function makeCertificate(folder: string): void {
  const openssl = (args: string): Buffer =>
    execFileSync('openssl', args.split(/\s+/), { cwd: folder, stdio: 'pipe' });
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
  openssl(`req -x509 ${key} -subj /CN=ca -keyout ca-key.pem -out ca.pem`);
  openssl(
    `req -x509 ${key} -subj /CN=backup.example -CA ca.pem -CAkey ca-key.pem -addext subjectAltName=DNS:backup.example
      -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem`,
  );
}

/** What one types who follows the README: each line as it is printed, what runs long beside the rest. */
function typed(lines: readonly string[]): string {
  return lines
    .map((line) => {
      const [plain = ''] = line.split(/\s+#/);
      if (plain.startsWith('isync receive'))
        return `${plain} &\nuntil (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done`;
      if (plain.startsWith('isync scan'))
        return `${plain} &\nuntil [ -e /datas/DC1/finished.watch ]; do sleep 0.1; done`;
      // Into the file that the next side is given.
      return plain.startsWith('isync token add')
        ? `token=$(${plain})\n(umask 077; echo "$token" > /etc/isync/token)`
        : plain;
    })
    .join('\n');
}

/** The command and its units. Returns what Node is to run. */
function packageIn(folder: string): string {
  const bundle = join(CLI_MAIN, '../../..');
  for (const name of ['dist', 'package.json', 'deploy'])
    cpSync(join(bundle, name), join(folder, name), { recursive: true });
  return join(folder, 'dist/cli/main.js');
}

/** Runs a script in a machine whose isync is ours. Returns what it has printed. */
async function inMachine(folder: string, script: readonly string[]): Promise<string> {
  const at = (name: string): string => join(folder, name);
  // Its services run as users of their own.
  chmodSync(folder, 0o755);
  for (const name of ['machine', 'bin']) mkdirSync(at(name));
  writeFileSync(at('bin/isync'), `#!/bin/sh\nexec ${CLI_NODE} ${packageIn(at('app'))} "$@"\n`, {
    mode: 0o755,
  });
  const begin = [
    'set -eu',
    `cd ${folder}`,
    `PATH=${at('bin')}:$PATH`,
    'mkdir /datas/DC1',
    'echo one > /datas/DC1/a',
  ];
  const end = ['cmp /datas/DC1/a /srv/isync/edge1/DC1/a', 'echo all is well'];
  const whole = [...begin, 'touch /datas/DC1/finished.parse', ...script, ...end].join('\n');
  await using machine = startNode(
    [...APART, 'bash', '-c', MACHINE, 'machine', at('machine'), 'bash', '-c', whole],
    { node: 'unshare', env: { NODE_EXTRA_CA_CERTS: at('ca.pem') } },
  );
  const { stdout, stderr } = await machine.ended;
  return stdout + stderr;
}

test.skipIf(leftOut)(
  'README: the first pair by isync init, its lines typed as they are printed',
  async () => {
    await using folder = await temporaryFolder('readme');
    const lines = linesBetween('README.md', 'Set up the first pair', 'The same by hand');
    const [server = '', device = ''] = lines.map((line) => line.split(/\s+# /)[0]?.trim());
    expect(lines).toHaveLength(2);
    expect(device).toContain("'wss://backup.example:7400#TOKEN#FINGERPRINT#edge1'");
    const printed = device.replace(/'wss:.*'/, String.raw`'$line'`);
    const script = [
      ANSWER,
      START_UNIT,
      `answer '${server}' server '' backup.example > printed; cat printed`,
      `line=$(sed -n "s/.*isync init --join '\\(.*\\)'.*/\\1/p" printed)`,
      'start_unit isync-receive',
      'until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done',
      `answer "${printed}" ''`,
      'start_unit isync-scan',
      'until [ -e /datas/DC1/finished.watch ]; do sleep 0.1; done',
    ];
    expect(await inMachine(folder.path, script)).toContain('all is well');
  },
);

test.skipIf(leftOut)(
  'README: the first pair by hand, with doctor, its lines typed as they are printed',
  async () => {
    await using folder = await temporaryFolder('readme');
    makeCertificate(folder.path);
    const lines = linesBetween('README.md', 'The same by hand', '### With an S3 bucket');
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'mkdir -p',
      'isync token',
      'isync receive',
      'isync scan',
      'isync verify',
      'isync expire',
      'isync ls',
      'isync fetch',
    ]);
    const operations = linesBetween(
      'docs/operations.md',
      '## Before the first start',
      '## With an S3 bucket',
    );
    const doctor = operations.filter((line) => line.startsWith('isync doctor'));
    expect(doctor).toHaveLength(2);
    expect(await inMachine(folder.path, [typed(lines), ...doctor])).toContain('all is well');
  },
);
