import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CliProcess, plainEnvironment } from './process.ts';

/** Namespaces of its own: what runs in them ends with the first process of theirs. */
export const APART = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * Runs "$@" in the root $1/root, which is that of $2 under what was written there before, with /proc and /dev of its own and the
 * loopback up. $1 itself is /stage there.
 */
export const ENTER = `
set -e
cd "$1"
mount --make-rprivate /
mount -t overlay overlay -o lowerdir="$2",upperdir=upper,workdir=work root
mkdir -p root/stage
mount --bind . root/stage
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/tmp
mount --rbind /dev root/dev
ip link set lo up 2>/dev/null ||
  python3 -c 'import fcntl,socket,struct;fcntl.ioctl(socket.socket(),0x8914,struct.pack("16sh",b"lo",0x41))'
shift 2
exec chroot root "$@"
`;

/** A Debian to install into: this machine's own, or another one, as it is, and what is changed there goes into a folder. No network. */
export class OtherRoot {
  readonly #folder: string;
  readonly #from: string;

  /**
   * @param folder of no other file; not on an overlay itself
   * @param from the root that it is at first
   */
  constructor(folder: string, from = '/') {
    this.#folder = folder;
    this.#from = from;
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name));
    // It is "/" for whoever runs there.
    for (const name of ['.', 'upper', 'root']) chmodSync(join(folder, name), 0o755);
  }

  /** Runs a script of bash to its end, or to the first command that fails. What runs in the background ends with it. */
  async run(script: string): Promise<{ readonly exitCode: number | null; readonly output: string }> {
    const args = [
      ...APART,
      'bash',
      '-c',
      ENTER,
      'enter',
      this.#folder,
      this.#from,
      'bash',
      '-c',
      `set -e\n${script}`,
    ];
    const env = { ...plainEnvironment(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
    const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    await using inside = new CliProcess(child, ['another root']);
    const { exitCode, stdout, stderr } = await inside.ended;
    return { exitCode, output: stdout + stderr };
  }
}

/** Why this machine can't have one; undefined where it can. */
export function otherRootFault(): string | undefined {
  const tried = spawnSync('unshare', [...APART, 'grep', '-q', 'overlay', '/proc/filesystems']);
  return tried.status === 0 ? undefined : 'namespaces and overlayfs are needed';
}
