import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI_MAIN, CLI_NODE } from './cli.ts';
import { APART } from './other-root.ts';
import { startNode } from './process.ts';

/** Brings the loopback up. */
const LOOPBACK = `python3 -c 'import fcntl,socket,struct;fcntl.ioctl(socket.socket(),0x8914,struct.pack("16sh",b"lo",0x41))'`;

/**
 * Runs "$@" in a machine of its own as far as documents reach: /etc is a copy of the host's, /srv, /datas, /camera and /run are empty, /tmp
 * has only what leads to $2 and $3, the rest is the host's; its loopback has no other programs. $1 is a folder for it.
 */
const MACHINE = `
set -eu
machine=$1; shift
mount --make-rprivate /
mount -t tmpfs isync-test "$machine"
for entry in /*; do
  name=\${entry#/}
  case $name in etc|srv|datas|camera|run|isync) continue ;; esac
  if [ -L "$entry" ]; then cp -a "$entry" "$machine/"
  elif [ "$name" = tmp ]; then mkdir "$machine/tmp" && chmod 1777 "$machine/tmp"
  elif [ -d "$entry" ]; then mkdir "$machine/$name" && mount --rbind "$entry" "$machine/$name"
  fi
done
cp -a /etc "$machine/etc"
for kept in "$1" "$2"; do
  case $kept in /tmp/*)
    kept=\${kept#/tmp/} kept=/tmp/\${kept%%/*}
    mkdir -p "$machine$kept" && mount --bind "$kept" "$machine$kept" ;;
  esac
done
shift 2
mkdir "$machine/srv" "$machine/datas" "$machine/camera" "$machine/run"
${LOOPBACK}
echo '127.0.0.1 backup.example backup' >> "$machine/etc/hosts"
exec chroot "$machine" "$@"
`;

/** Why this machine can't have one; undefined where it can. */
export function ownMachineFault(): string | undefined {
  const tried = spawnSync('unshare', [...APART, 'sh', '-c', `mount -t tmpfs x /mnt && ${LOOPBACK}`]);
  return tried.status === 0 ? undefined : 'unshare fails';
}

/** cert.pem and key.pem in `folder` for these names, which its own authority, ca.pem, has signed. */
export function makeCertificate(folder: string, names: readonly string[]): void {
  const openssl = (args: string): Buffer =>
    execFileSync('openssl', args.split(/\s+/), { cwd: folder, stdio: 'pipe' });
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
  openssl(`req -x509 ${key} -subj /CN=ca -keyout ca-key.pem -out ca.pem`);
  openssl(
    `req -x509 ${key} -subj /CN=${names[0]} -CA ca.pem -CAkey ca-key.pem
      -addext subjectAltName=${names.map((name) => `DNS:${name}`).join()}
      -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem`,
  );
}

/** The command and its units. Returns what Node is to run. */
function packageIn(folder: string): string {
  const bundle = join(CLI_MAIN, '../../..');
  for (const name of ['dist', 'package.json', 'deploy'])
    cpSync(join(bundle, name), join(folder, name), { recursive: true });
  return join(folder, 'dist/cli/main.js');
}

/**
 * Runs a script of bash, in `folder`, in a machine whose isync is ours and which trusts `folder`/ca.pem. Returns what it has printed. What
 * runs in the background ends with it.
 */
export async function inMachine(
  folder: string,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const at = (name: string): string => join(folder, name);
  // Its services run as users of their own.
  chmodSync(folder, 0o755);
  for (const name of ['machine', 'bin']) mkdirSync(at(name));
  writeFileSync(at('bin/isync'), `#!/bin/sh\nexec ${CLI_NODE} ${packageIn(at('app'))} "$@"\n`, {
    mode: 0o755,
  });
  const whole = `set -eu\ncd ${folder}\nPATH=${at('bin')}:$PATH\n${script}`;
  await using machine = startNode(
    [...APART, 'bash', '-c', MACHINE, 'machine', at('machine'), folder, CLI_NODE, 'bash', '-c', whole],
    { node: 'unshare', env: { NODE_EXTRA_CA_CERTS: at('ca.pem'), ...env } },
  );
  const { stdout, stderr } = await machine.ended;
  return stdout + stderr;
}
