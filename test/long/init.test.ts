import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CLI_MAIN, CLI_NODE, runCli, startCli } from '../../harness/cli.ts';
import { differences, isSealed, temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';

/** Two machines, as folders; nobody is made for the service. */
async function machines() {
  const folder = await temporaryFolder('init');
  onTestFinished(async () => await folder[Symbol.asyncDispose]());
  const at = (name: string): string => join(folder.path, name);
  const port = await freePort();
  const server = async (more: readonly string[] = []) => {
    const where = ['--where', at('store'), '--settings', at('server-etc'), '--port', String(port)];
    const ended = await runCli(
      ['init', '--role', 'server', '--name', '127.0.0.1', '--user', 'root', '--json', ...where, ...more],
      { env: { TZ: 'UTC' } },
    );
    expect(ended).toMatchObject({ exitCode: 0 });
    return JSON.parse(ended.stdout) as { join: string; config: string; made: string[]; kept: string[] };
  };
  const device = async (line: string, more: readonly string[] = []) =>
    await runCli(['init', '--join', line, '--where', at('datas'), '--settings', at('edge-etc'), ...more]);
  return { at, server, device };
}

test('a server, the line that it prints, a device: the first directory arrives', async () => {
  const { at, server, device } = await machines();
  const { join: line, config } = await server();
  expect(line).toMatch(/^wss:\/\/127\.0\.0\.1:\d+#isync_[\w-]+#[\da-f]{64}#edge1$/);
  await using receiver = startCli(['receive', '--config', config, '--json']);
  await receiver.until('the receiver to listen', () => receiver.stdout.includes('listening'));
  const ended = await device(line);
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(ended.stdout).toContain('isync scan --config');
  expect(statSync(at('edge-etc/token')).mode & 0o777).toBe(0o600);
  expect(statSync(at('server-etc/ca-key.pem')).mode & 0o777).toBe(0o600);
  await writeTree(at('datas'), { 'DC1/a': 10, 'DC1/finished.parse': '' });
  const scan = await runCli(['scan', '--config', at('edge-etc/scan.yaml'), '--once', '--json']);
  expect({ exitCode: scan.exitCode, stderr: scan.stderr }).toMatchObject({ exitCode: 0 });
  expect(isSealed(at('datas'), 'DC1')).toBe(true);
  expect(await differences(at('datas'), at('store/edge1'))).toEqual([]);
});

test('run again it keeps what is there, and lets another device in', async () => {
  const { at, server } = await machines();
  const first = await server();
  const cert = readFileSync(at('server-etc/cert.pem'), 'utf8');
  const second = await server(['--for', 'edge2']);
  expect(second.join.endsWith('#edge2')).toBe(true);
  expect(second.join.split('#')[2]).toBe(first.join.split('#')[2]);
  expect(readFileSync(at('server-etc/cert.pem'), 'utf8')).toBe(cert);
  expect(second.kept).toContain(second.config);
  const { tokens } = JSON.parse(readFileSync(at('server-etc/tokens.json'), 'utf8')) as {
    tokens: { device: string }[];
  };
  expect(tokens.map(({ device }) => device)).toEqual(['edge1', 'edge2']);
});

test('a server with another authority gets no token, and nothing is made', async () => {
  const { at, server, device } = await machines();
  const { join: line, config } = await server();
  await using receiver = startCli(['receive', '--config', config, '--json']);
  await receiver.until('the receiver to listen', () => receiver.stdout.includes('listening'));
  const other = line.replace(/#[\da-f]{64}/, `#${'ab'.repeat(32)}`);
  const ended = await device(other);
  expect(ended).toMatchObject({ exitCode: 3 });
  expect(ended.stderr).toContain('the server is not the one that printed the line');
  expect(() => statSync(at('edge-etc'))).toThrow('ENOENT');
});

test('a certificate of another authority is used, and never written to', async () => {
  const { at, server } = await machines();
  mkdirSync(at('server-etc'));
  const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 -subj /CN=127.0.0.1
    -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem`;
  execFileSync('openssl', make.split(/\s+/), { cwd: at('server-etc'), stdio: 'ignore' });
  const cert = readFileSync(at('server-etc/cert.pem'), 'utf8');
  const { join: line } = await server();
  expect(readFileSync(at('server-etc/cert.pem'), 'utf8')).toBe(cert);
  expect(existsSync(at('server-etc/ca.pem'))).toBe(false);
  const fingerprint = new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();
  expect(line.split('#')[2]).toBe(fingerprint);
});

test('another name is added to the certificate, whose key stays; the key of the authority may be elsewhere until then', async () => {
  const { at, server } = await machines();
  const first = await server();
  const key = readFileSync(at('server-etc/key.pem'), 'utf8');
  renameSync(at('server-etc/ca-key.pem'), at('away'));
  expect((await server(['--for', 'edge2'])).join.split('#')[2]).toBe(first.join.split('#')[2]);
  const args = ['init', '--role', 'server', '--user', 'root', '--name', 'backup.example'];
  const more = [...args, '--settings', at('server-etc')];
  const refused = await runCli(more);
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('ca-key.pem')]);
  renameSync(at('away'), at('server-etc/ca-key.pem'));
  expect(await runCli(more)).toMatchObject({ exitCode: 0 });
  const cert = new X509Certificate(readFileSync(at('server-etc/cert.pem')));
  expect([cert.checkIP('127.0.0.1'), cert.checkHost('backup.example')]).not.toContain(undefined);
  expect(readFileSync(at('server-etc/key.pem'), 'utf8')).toBe(key);
});

test('settings that are there and say something else are told, before anything is made', async () => {
  const { at, server, device } = await machines();
  const { join: line, config } = await server();
  const other = await runCli([
    'init',
    '--role',
    'server',
    '--settings',
    at('server-etc'),
    '--where',
    at('other'),
  ]);
  expect([other.exitCode, other.stderr]).toEqual([2, expect.stringContaining('it has store:')]);
  expect(existsSync(at('other'))).toBe(false);
  await using receiver = startCli(['receive', '--config', config, '--json']);
  await receiver.until('the receiver to listen', () => receiver.stdout.includes('listening'));
  expect(await device(line)).toMatchObject({ exitCode: 0 });
  const moved = await device(line.replace('wss://127.0.0.1', 'wss://localhost'));
  expect([moved.exitCode, moved.stderr]).toEqual([2, expect.stringContaining('it has to:')]);
});

test.each([
  [['--role', 'server'], '--where is not given'],
  [['--join', 'wss://host:7400'], 'is no line like wss://HOST:7400#TOKEN#FINGERPRINT'],
  [['--role', 'boss'], 'boss'],
])('%j is refused with what to give', async (args, text) => {
  const ended = await runCli(['init', ...args]);
  expect(ended).toMatchObject({ exitCode: 2 });
  expect(ended.stderr).toContain(text);
});

test('settings that can not be written are told, with what to do', async () => {
  const { at, device, server } = await machines();
  const { join: line, config } = await server();
  await using receiver = startCli(['receive', '--config', config, '--json']);
  await receiver.until('the receiver to listen', () => receiver.stdout.includes('listening'));
  writeFileSync(at('file'), '');
  const ended = await device(line, ['--settings', at('file/below')]);
  expect(ended.exitCode).toBe(2);
  expect(ended.stderr).toContain(at('file/below'));
});

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('%s at a question ends it in order, and makes nothing', async (_, key) => {
  await using folder = await temporaryFolder('init');
  const settings = join(folder.path, 'etc');
  const line = [CLI_NODE, CLI_MAIN, 'init', '--settings', settings].join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], TERM: 'xterm', SHELL: '/bin/sh' },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!shown.includes('or the server?') && (shown + text).includes('or the server?'))
      child.stdin.write(key);
    shown += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  expect(shown).toContain('isync: stopped at a question [INTERRUPTED]');
  expect(shown).not.toMatch(/AbortError|INTERNAL/);
  expect(code).toBe(130);
  expect(existsSync(settings)).toBe(false);
});
