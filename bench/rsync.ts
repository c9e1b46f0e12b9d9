import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { until } from '../harness/process.ts';
import type { Bench } from './bench.ts';
import { LOOPBACK, timed, type Link } from './competitors.ts';
import type { Competitor } from './contest.ts';
import { childrenOf, cpuOf, runProgram, startProgram } from './process.ts';

const USER = 'bench';
const SECRET = 'only-for-this-run';

/**
 * `rsync FLAGS` to a daemon that asks for a password, one competitor for each of `variants`, by its name; none, and
 * said so, for what this machine's rsync can't do. `folder` is for the daemon's files.
 */
export async function rsyncs(
  bench: Bench,
  folder: string,
  variants: readonly string[],
  { link = LOOPBACK, way = 'push' }: { readonly link?: Link; readonly way?: Way } = {},
): Promise<Record<string, Competitor>> {
  const help = await runProgram('rsync', ['--help']).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
  if (help === undefined) {
    bench.say('!!! rsync is not installed: nothing is compared with it');
    return {};
  }
  const known = variants.filter((variant) => !variant.includes('--fsync') || help.includes('--fsync'));
  if (known.length < variants.length)
    bench.say('!!! this rsync knows no --fsync (3.2.4 does): its durable form is not measured');
  return Object.fromEntries(
    known.map((variant) => [variant, rsync(folder, variant.split(' ').slice(1), { link, way })]),
  );
}

/** What `rsync -z` compresses with: both sides are this program, which takes the first of its list. Undefined where it tells none. */
export async function rsyncCompression(): Promise<string | undefined> {
  const { stdout } = await runProgram('rsync', ['--version']);
  return /Compress list:\s+(\w+)/.exec(stdout)?.[1];
}

/** Whether the client sends its files to the daemon, or gets those of the daemon. */
type Way = 'push' | 'pull';

function rsync(
  folder: string,
  flags: readonly string[],
  { link, way }: { readonly link: Link; readonly way: Way },
): Competitor {
  return {
    async run({ root }, store) {
      const port = await freePort();
      const config = join(folder, 'rsyncd.conf');
      const secrets = join(folder, 'rsyncd.secrets');
      const password = join(folder, 'rsync.password');
      await writeFile(config, configOf(way === 'push' ? store : root, secrets));
      await writeFile(secrets, `${USER}:${SECRET}\n`, { mode: 0o600 });
      await writeFile(password, `${SECRET}\n`, { mode: 0o600 });
      const listen = ['--address=127.0.0.1', `--port=${port}`];
      await using daemon = startProgram('rsync', [
        '--daemon',
        '--no-detach',
        `--config=${config}`,
        ...listen,
      ]);
      await daemon.until('the rsync daemon to listen', async () => await answers(port));
      await using between = await link(port);
      const daemons = `rsync://${USER}@127.0.0.1:${between.port}/store/`;
      const [from, to] = way === 'push' ? [`${root}/`, daemons] : [daemons, `${store}/`];
      return await timed(
        () => cpuOf(daemon.pid),
        async () => {
          await runProgram('rsync', [...flags, `--password-file=${password}`, from, to]);
          return { copy: store, same: true };
        },
        // Its processes for the connections, which it collects when they end.
        async () => void (await until('the daemon to be idle', () => childrenOf(daemon.pid).length === 0)),
      );
    },
  };
}

function configOf(store: string, secrets: string): string {
  // As root it would become nobody, who can't write there.
  const user = process.getuid?.() === 0 ? 'uid = 0\ngid = 0\n' : '';
  return `use chroot = no
reverse lookup = no
${user}[store]
path = ${store}
read only = no
auth users = ${USER}
secrets file = ${secrets}
`;
}

/** rsync takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'data');
    return true;
  } catch {
    // Nobody listens yet.
    return false;
  } finally {
    socket.destroy();
  }
}
