import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startNode } from '../../harness/process.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';

/** Namespaces of its own: what runs in them ends with the first process of theirs. */
const APART = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * Runs "$@" in a machine of its own as far as a README reaches: /etc is a copy of the host's, /srv and /datas are empty, the rest is
 * the host's; its loopback has no other programs. $1 is a folder for it.
 */
const MACHINE = `
set -eu
machine=$1; shift
mount --make-rprivate /
mount -t tmpfs isync-test "$machine"
for entry in /*; do
  name=\${entry#/}
  case $name in etc|srv|datas|isync) continue ;; esac
  if [ -L "$entry" ]; then cp -a "$entry" "$machine/"
  elif [ "$name" = tmp ]; then mkdir -p "$machine/tmp" && mount --bind /tmp "$machine/tmp"
  elif [ -d "$entry" ]; then mkdir "$machine/$name" && mount --rbind "$entry" "$machine/$name"
  fi
done
cp -a /etc "$machine/etc"
mkdir "$machine/srv" "$machine/datas"
python3 -c 'import fcntl,socket,struct;fcntl.ioctl(socket.socket(),0x8914,struct.pack("16sh",b"lo",0x41))'
echo '127.0.0.1 backup.example' >> "$machine/etc/hosts"
exec chroot "$machine" "$@"
`;

const canBeMade = spawnSync('unshare', [...APART, 'sh', '-c', 'mount -t tmpfs x /mnt']).status === 0;
const leftOut = [
  lacksRoot(),
  lacks('openssl'),
  lacks('python3'),
  lacks('inotifywait'),
  mayNot('make a machine of namespaces', canBeMade ? undefined : 'unshare fails'),
].includes(true);

/** The lines of a document's blocks for a shell, from one text in it to another, as they are printed. */
function linesBetween(path: string, from: string, to: string): string[] {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const part = text.slice(text.indexOf(from), text.indexOf(to));
  return [...part.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
    block
      .replaceAll(/\\\n\s*/g, '')
      .trimEnd()
      .split('\n'),
  );
}

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

test.skipIf(leftOut)(
  'README: the first pair by hand, with doctor, each line typed as it is printed',
  async () => {
    await using folder = await temporaryFolder('readme');
    const at = (name: string): string => join(folder.path, name);
    for (const name of ['machine', 'bin']) mkdirSync(at(name));
    makeCertificate(folder.path);
    writeFileSync(at('bin/isync'), `#!/bin/sh\nexec ${CLI_NODE} ${CLI_MAIN} "$@"\n`, { mode: 0o755 });
    const lines = linesBetween('README.md', 'The same by hand', '### With an S3 bucket');
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'mkdir -p',
      'isync token',
      'isync receive',
      'isync scan',
      'isync verify',
      'isync expire',
    ]);
    const doctor = linesBetween(
      'docs/operations.md',
      '## Before the first start',
      '## With an S3 bucket',
    ).filter((line) => line.startsWith('isync doctor'));
    expect(doctor).toHaveLength(2);
    const script = [
      'set -eu',
      `cd ${folder.path}`,
      `PATH=${at('bin')}:$PATH`,
      'mkdir /datas/DC1 && echo one > /datas/DC1/a && touch /datas/DC1/finished.parse',
      typed(lines),
      ...doctor,
      'cmp /datas/DC1/a /srv/isync/edge1/DC1/a',
      'echo all is well',
    ].join('\n');
    await using machine = startNode(
      [...APART, 'bash', '-c', MACHINE, 'machine', at('machine'), 'bash', '-c', script],
      {
        node: 'unshare',
        env: { NODE_EXTRA_CA_CERTS: at('ca.pem') },
      },
    );
    const { exitCode, stdout, stderr } = await machine.ended;
    expect(`${stdout}${stderr}`).toContain('all is well');
    expect(exitCode).toBe(0);
  },
);
