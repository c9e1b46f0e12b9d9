import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { lacks, leaveOut, mayNot } from '../../harness/tools.ts';
import { CLI_MAIN, startReceiver } from '../../harness/cli.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';

/** Where Debian and its like keep the certificates that the machine trusts. */
const SYSTEM_CAS = '/etc/ssl/certs/ca-certificates.crt';
/** $0 stands in the place of the system's certificates, for the rest only, in a mount namespace of its own. */
const IN_PLACE = `mount --bind "$0" ${SYSTEM_CAS} && exec "$@"`;

const hasCas = existsSync(SYSTEM_CAS);
if (!hasCas) leaveOut('certificates of the system', 'apt-get install ca-certificates');
const canMount =
  hasCas && spawnSync('unshare', ['--mount', 'sh', '-c', IN_PLACE, SYSTEM_CAS, 'true']).status === 0;
const forbidden = hasCas && mayNot('mount in a namespace', canMount ? undefined : 'unshare --mount fails');

test.skipIf(!hasCas || forbidden || lacks('openssl'))(
  'a receiver that the system vouches for is trusted without an option',
  async () => {
    await using folder = await temporaryFolder('system-ca');
    const [key, certificate] = [join(folder.path, 'key.pem'), join(folder.path, 'certificate.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3', ...subject];
    execFileSync('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
    const trusted = join(folder.path, 'trusted.pem');
    writeFileSync(trusted, readFileSync(SYSTEM_CAS, 'utf8') + readFileSync(certificate, 'utf8'));
    const [root, store] = [join(folder.path, 'root'), join(folder.path, 'store')];
    await writeTree(root, { 'DC1/f': 10 });
    mkdirSync(store);
    await using receiver = await startReceiver(store, {
      args: ['--tls-cert', certificate, '--tls-key', key],
    });

    const to = `wss://localhost:${receiver.port}`;
    const scan = [process.execPath, CLI_MAIN, 'scan', root, '--to', to, '--device', 'edge1', '--once'];
    const child = spawn('unshare', ['--mount', 'sh', '-c', IN_PLACE, trusted, ...scan, '--retry-for', '60'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Nothing but the system's own.
      env: { PATH: process.env['PATH'] },
    });
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ exitCode: child.exitCode, there: existsSync(join(store, 'edge1/DC1/f')), stderr }).toEqual({
      exitCode: 0,
      there: true,
      stderr: expect.any(String),
    });
  },
);
