import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APART, ENTER } from './other-root.ts';
import { CliProcess, plainEnvironment } from './process.ts';

/** Where the first host is for the second one; the second is 10.7.0.2. */
export const FIRST_ADDRESS = '10.7.0.1';

/**
 * Runs /stage/run on two hosts that only a cable joins: the first in the background, and the second one, once the first has written
 * /stage/told, of which it has a copy. $1 and $2 are their folders.
 */
const HOSTS = `
set -e
for each in 1 2; do unshare --net sleep infinity & nets+=($!); done
here=$(readlink /proc/self/ns/net)
for pid in "\${nets[@]}"; do until [ "$(readlink /proc/$pid/ns/net)" != "$here" ]; do sleep 0.05; done; done
ip link add cable netns "\${nets[0]}" type veth peer name cable netns "\${nets[1]}"
for n in 0 1; do
  nsenter --net --target "\${nets[n]}" \\
    sh -c "ip link set lo up; ip address add 10.7.0.$((n + 1))/24 dev cable; ip link set cable up"
done
on() { nsenter --net --target "\${nets[$1]}" unshare --mount bash -c "$3" enter "$2" / bash /stage/run; }
on 0 "$1" "$3" > "$1/log" 2>&1 & first=$!
until [ -s "$1/told" ]; do kill -0 $first || { cat "$1/log"; exit 1; }; sleep 0.1; done
cp "$1/told" "$2/told"
on 1 "$2" "$3" || { cat "$1/log"; exit 1; }
touch "$1/over"
wait $first || { cat "$1/log"; exit 1; }
`;

/**
 * Two hosts that are this machine at first: each has an own root, network and loopback, and no other network but the cable between them.
 * @param folder of no other file; not on an overlay itself
 */
export class TwoHosts {
  /** What is /stage on each of them. */
  readonly stages: readonly [string, string];

  constructor(folder: string) {
    this.stages = [join(folder, 'first'), join(folder, 'second')];
    for (const stage of this.stages) {
      for (const name of ['.', 'upper', 'work', 'root']) mkdirSync(join(stage, name), { recursive: true });
      for (const name of ['.', 'upper', 'root']) chmodSync(join(stage, name), 0o755);
    }
  }

  /**
   * Runs a script of bash on each to its end, or to its first command that fails. The second one begins once the first has written /stage/told,
   * which it then has too. The first may wait for /stage/over. Returns what the second has printed, and the first, if something failed.
   */
  async run(first: string, second: string): Promise<{ exitCode: number | null; output: string }> {
    for (const [index, script] of [first, second].entries())
      writeFileSync(join(this.stages[index]!, 'run'), `set -e\n${script}`);
    const args = [...APART, 'bash', '-c', HOSTS, 'hosts', ...this.stages, ENTER];
    const env = { ...plainEnvironment(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
    const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    await using inside = new CliProcess(child, ['two hosts']);
    const { exitCode, stdout, stderr } = await inside.ended;
    return { exitCode, output: stdout + stderr };
  }
}

/** Why this machine can't have them; undefined where it can. */
export function twoHostsFault(): string | undefined {
  const cable = ['link', 'add', 'end1', 'type', 'veth', 'peer', 'name', 'end2'];
  const tried = spawnSync('unshare', ['--net', 'ip', ...cable]);
  return tried.status === 0 ? undefined : 'iproute2 and veth are needed';
}
