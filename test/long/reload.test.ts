import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { type CliProcess, startNode, until } from '../../harness/process.ts';
import { startStage } from '../../harness/stage.ts';

/** As a service manager starts it: without a terminal that could hang up. */
function startService(args: readonly string[]): CliProcess {
  return startNode([CLI_NODE, CLI_MAIN, ...args], { node: 'setsid' });
}

/** A certificate for 127.0.0.1 and its key, by rename, as renewals do it. */
function renew(folder: string): void {
  const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost
    -addext subjectAltName=IP:127.0.0.1 -keyout new-key.pem -out new-cert.pem`;
  execFileSync('openssl', make.split(/\s+/), { cwd: folder, stdio: 'ignore' });
  renameSync(join(folder, 'new-key.pem'), join(folder, 'key.pem'));
  renameSync(join(folder, 'new-cert.pem'), join(folder, 'cert.pem'));
}

async function serialAt(port: number): Promise<string> {
  // Which one is served is the question, not who made it.
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test('SIGHUP changes what a scan leaves alone, its rate and its log, and says what needs a restart', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a.raw': 10, 'DC1/b.dat': 10 });
  const file = join(stage.folder, 'scan.yaml');
  const settings = (more: object): void =>
    writeFileSync(file, JSON.stringify({ scan: { to: stage.receiver.url, device: 'edge1', ...more } }));
  settings({ ignore: ['*.raw'] });
  await using daemon = startService(['scan', edge.root, '--config', file]);
  await daemon.until('what is not ignored', () => edge.has('DC1/b.dat'));
  expect(edge.has('DC1/a.raw')).toBe(false);
  settings({ ignore: [], bwlimit: '00:00,10MiB', 'log-level': 'debug', quiet: '1h' });
  daemon.signal('SIGHUP');
  await daemon.until('what was ignored', () => edge.has('DC1/a.raw'));
  const lines = daemon.stderr.split('\n');
  const line = (text: string): unknown => JSON.parse(lines.find((each) => each.includes(text)) ?? 'null');
  expect(line('settings were read again')).toMatchObject({
    changed: expect.arrayContaining(['ignore', 'bwlimit', 'log-level']) as unknown,
  });
  expect(line('need a restart')).toMatchObject({ settings: ['quiet'] });
  await edge.write({ 'DC1/c.dat': 10 });
  await daemon.until('a line of debug', () => daemon.stderr.includes('"transferred"'));
  settings({ quiet: 'never' });
  daemon.signal('SIGHUP');
  await daemon.until('the refusal', () => daemon.stderr.includes('those in force stay'));
  await edge.write({ 'DC1/d.dat': 10 });
  await daemon.until('a file after it', () => edge.has('DC1/d.dat'));
  expect(await daemon.stop('SIGTERM')).toMatchObject({ exitCode: 130 });
});

test('a renewed certificate is served without a restart, and the sessions stay', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  renew(stage.folder);
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(stage.folder, name));
  const store = join(stage.folder, 'tls-store');
  execFileSync('mkdir', [store]);
  const tls = ['--tls-cert', cert!, '--tls-key', key!];
  await using receiver = startService(['receive', store, '--listen', '127.0.0.1:0', '--json', ...tls]);
  const url = await receiver.until(
    'the receiver to listen',
    () => /wss:\/\/127[^"]*/.exec(receiver.stdout)?.[0],
  );
  const port = Number(new URL(url).port);
  await edge.write({ 'DC1/a': 10 });
  await using daemon = edge.daemon(['--tls-ca', cert!], { to: url });
  await daemon.until('the first file', () => daemon.stderr.includes('"connected"'));
  const before = await serialAt(port);
  renew(stage.folder);
  await receiver.until('the new one', () => receiver.stderr.includes('the renewed certificate is served'));
  expect(await serialAt(port)).not.toBe(before);
  receiver.signal('SIGHUP');
  await receiver.until('the answer', () => receiver.stderr.includes('settings were read again'));
  await edge.write({ 'DC1/b': 10, 'DC1/finished.parse': '' });
  await until('the seal', () => edge.sealed('DC1'));
  expect(daemon.stderr).not.toContain('link lost');
});

test('certificates renewed and settings read again under load lose nothing, and cut no session', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  renew(stage.folder);
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(stage.folder, name));
  // Where the stage's own receiver keeps them: what differs is compared there.
  await stage.receiver[Symbol.asyncDispose]();
  const tls = ['--tls-cert', cert!, '--tls-key', key!];
  await using receiver = startService(['receive', stage.store, '--listen', '127.0.0.1:0', '--json', ...tls]);
  const url = await receiver.until(
    'the receiver to listen',
    () => /wss:\/\/127[^"]*/.exec(receiver.stdout)?.[0],
  );
  const files = Array.from({ length: 60 }, (_, index) => [`DC1/${index}`, 200_000] as const);
  await edge.write({ ...Object.fromEntries(files), 'DC1/finished.parse': '' });
  await using daemon = edge.daemon(['--tls-ca', cert!, '--bwlimit', '1MiB'], { to: url });
  await daemon.until('the first file', () => edge.has('DC1/0'));
  const served = (): number => receiver.stderr.split('the renewed certificate is served').length - 1;
  for (let renewed = 1; renewed <= 2; renewed++) {
    renew(stage.folder);
    receiver.signal('SIGHUP');
    await receiver.until('the new one', () => served() >= renewed);
  }
  expect(edge.sealed('DC1')).toBe(false);
  await until('the seal', () => edge.sealed('DC1'));
  expect(await edge.differences()).toEqual([]);
  expect(daemon.stderr).not.toContain('link lost');
});
