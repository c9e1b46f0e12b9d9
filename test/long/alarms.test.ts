import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { asNobody } from '../../harness/as-nobody.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { addToken, runCli, startCli, startReceiver, startScan, writeTokenFile } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';
import type { CliProcess } from '../../harness/process.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import { documentedMetrics, PROMISED_MS, StatusOf } from './status-of.ts';

/** A receiver and a root with one file, and how to start what is at either end with a status page. */
async function startEnds(receiveArgs: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder('alarms'));
  await chmod(folder.path, 0o755);
  const at = (name: string): string => join(folder.path, name);
  await mkdir(at('store'));
  await mkdir(at('root/DC1'), { recursive: true });
  await writeFile(at('root/DC1/first'), 'first');
  const ports = { receive: await freePort(), status: await freePort() };
  const start = async (args: readonly string[] = []) =>
    stack.use(
      await startReceiver(at('store'), {
        port: ports.receive,
        args: ['--status', `127.0.0.1:${ports.status}`, ...receiveArgs, ...args],
      }),
    );
  const receiver = await start();
  const scan = async (args: readonly string[] = [], to = receiver.url) => {
    const port = await freePort();
    const process = stack.use(
      startScan(at('root'), {
        to,
        env,
        args: ['--status', `127.0.0.1:${port}`, '--settle', '50ms', ...args],
      }),
    );
    await process.until('the page', () => process.stderr.includes('status page'));
    return { process, page: new StatusOf(`http://127.0.0.1:${port}`, process) };
  };
  const page = new StatusOf(`http://127.0.0.1:${ports.status}`, receiver.process);
  return { at, receiver, page, start, scan, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

async function sent({ process, page }: { process: CliProcess; page: StatusOf }, files = 1): Promise<void> {
  await process.until('the first files to be sent', async () => {
    const facts = (await page.report()).cards.find(({ id }) => id === 'sent')?.facts;
    return Number(facts?.find(({ id }) => id === 'files')?.value) >= files;
  });
}

function makeCertificate(folder: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const newkey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const args = ['req', '-x509', ...newkey, ...subject, '-days', '1', '-keyout', key, '-out', cert];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return { cert, key };
}

describe.concurrent('a plug that is pulled shows within a minute, with a cure', () => {
  it('the receiver is gone, and comes back', async ({ expect }) => {
    await using ends = await startEnds();
    const scan = await ends.scan();
    await sent(scan);
    expect(await scan.page.readiness()).toBe(200);
    expect(await scan.page.metricNames()).toEqual(await documentedMetrics('scan'));
    expect(await ends.page.metricNames()).toEqual(await documentedMetrics('receive'));
    ends.receiver.process.signal('SIGKILL');
    expect(await scan.page.alarm('TARGET_GONE')).toMatchObject({ severity: 'critical' });
    expect(await scan.page.readiness()).toBe(503);
    expect((await scan.page.report()).activity).toBe('waiting for link');
    expect(scan.process.stderr).toContain('"code":"TARGET_GONE"');
    await ends.start();
    await scan.page.over('TARGET_GONE');
  });

  it('the store is full: at both ends, and so is the oldest file that waits', async ({ expect }) => {
    await using ends = await startEnds(['--quota', '1000B', '--max-unsent-age', '2s']);
    await writeFile(ends.at('root/DC1/large'), Buffer.alloc(600));
    await writeFile(ends.at('root/DC1/larger'), Buffer.alloc(700));
    const scan = await ends.scan(['--max-unsent-age', '2s']);
    const [there, here] = await Promise.all([
      ends.page.alarm('STORE_FULL', 'edge1'),
      scan.page.alarm('STORE_FULL'),
    ]);
    expect([there.severity, here.severity]).toEqual(['critical', 'critical']);
    expect((await scan.page.report()).activity).toBe('target full');
    await Promise.all([ends.page.alarm('OLDEST_UNSENT', 'edge1'), scan.page.alarm('OLDEST_UNSENT')]);
    for (const { stderr } of [ends.receiver.process, scan.process]) {
      expect(stderr).toContain('"code":"OLDEST_UNSENT"');
      expect(stderr).toContain('"code":"STORE_FULL"');
    }
    await ends.receiver.process.until('the backlog that the device reports', async () => {
      const metrics = await ends.page.metrics();
      return /^isync_receive_device_backlog_files\{device="edge1"\} [12]$/m.test(metrics);
    });
  });

  it('a token is revoked', async ({ expect }) => {
    await using folder = await temporaryFolder('tokens');
    const tokens = join(folder.path, 'tokens.json');
    const token = await writeTokenFile(folder.path, 'edge1', await addToken('edge1', tokens));
    await using ends = await startEnds(['--tokens', tokens]);
    const scan = await ends.scan(['--token-file', token]);
    await sent(scan);
    const { exitCode } = await runCli(['token', 'revoke', 'edge1', '--tokens', tokens]);
    expect(exitCode).toBe(0);
    expect((await ends.page.alarm('DEVICE_REFUSED', 'edge1')).text).toContain('revoked');
    expect(ends.receiver.process.stderr).toContain('"code":"DEVICE_REFUSED"');
    expect((await scan.process.ended).exitCode).toBe(3);
  });

  it('a certificate is about to end: at both ends', async ({ expect }) => {
    await using folder = await temporaryFolder('certificate');
    const { cert, key } = makeCertificate(folder.path);
    await using ends = await startEnds(['--tls-cert', cert, '--tls-key', key]);
    const scan = await ends.scan(['--tls-ca', cert]);
    expect(await ends.page.alarm('CERT_EXPIRES')).toMatchObject({ severity: 'critical' });
    expect((await scan.page.alarm('CERT_EXPIRES')).text).toMatch(/of the receiver ends in \d+h/);
    const metrics = await ends.page.metrics();
    expect(metrics).toMatch(/^isync_receive_certificate_expiry_timestamp_seconds 1\d{9}/m);
  });

  it('the parser is stuck: the receiver hears of it as well', async ({ expect }) => {
    await using ends = await startEnds();
    const scan = await ends.scan(['--stuck-after', '2s']);
    expect((await scan.page.alarm('PARSER_STUCK', 'DC1')).text).toContain(
      'nothing has been written to "DC1"',
    );
    expect((await ends.page.alarm('PARSER_STUCK', 'edge1')).text).toContain(
      'edge1: nothing has been written',
    );
    await writeFile(ends.at('root/DC1/second'), 'second');
    await scan.page.over('PARSER_STUCK');
  });

  it('a device is silent, also after a restart of the receiver', async ({ expect }) => {
    await using ends = await startEnds(['--max-silence', '3s']);
    const scan = await ends.scan();
    await sent(scan);
    await scan.process.stop('SIGINT');
    await ends.page.alarm('DEVICE_SILENT', 'edge1');
    expect(ends.receiver.process.stderr).toContain('"code":"DEVICE_SILENT"');
    await ends.receiver.process.stop('SIGINT');
    const again = await ends.start();
    const page = new StatusOf(ends.page.url, again.process);
    expect((await page.alarm('DEVICE_SILENT', 'edge1')).text).toContain('edge1 has not been connected');
    await ends.scan();
    await page.over('DEVICE_SILENT');
  });

  it('the store is not there any more', async ({ expect }) => {
    await using ends = await startEnds();
    expect(await ends.page.readiness()).toBe(200);
    await rm(ends.at('store'), { recursive: true });
    await ends.page.alarm('STORE_FAILED');
    expect(await ends.page.readiness()).toBe(503);
  });

  it('events end as dead letters', async ({ expect }) => {
    await using stage = await startWebhookStage();
    const token = 'a-token-that-nobody-guesses-0123456789';
    const settings = { tokenFile: stage.at('token'), attempts: 1, state: stage.at('state') };
    await stage.configure({ script: await stage.script('exit 1'), ...settings });
    await writeFile(stage.at('token'), token, { mode: 0o600 });
    await using webhook = await stage.start(['--status', '127.0.0.1:0']);
    const record = cephRecord({ event: 'ObjectCreated:Put', bucket: 'bucket', key: 'k' });
    const answer = await webhook.post(record, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    const page = new StatusOf(webhook.statusUrl, webhook.process);
    expect(await page.alarm('DEAD_LETTERS')).toMatchObject({ severity: 'warning' });
  });

  it('the certificate of a webhook is about to end', async ({ expect }) => {
    await using stage = await startWebhookStage();
    const { cert, key } = makeCertificate(stage.folder);
    await writeFile(stage.at('token'), 'a-token-that-nobody-guesses-0123456789', { mode: 0o600 });
    const settings = { tokenFile: stage.at('token'), state: stage.at('state'), tlsCert: cert, tlsKey: key };
    await stage.configure({ script: await stage.script('exit 0'), ...settings });
    await using webhook = await stage.start(['--status', '127.0.0.1:0']);
    const page = new StatusOf(webhook.statusUrl, webhook.process);
    expect((await page.alarm('CERT_EXPIRES')).text).toMatch(/of this webhook ends in \d+h/);
  });

  it('a backup is overdue', async ({ expect }) => {
    await using folder = await temporaryFolder('overdue');
    const at = (name: string) => join(folder.path, name);
    for (const name of ['source', 'store']) await mkdir(at(name));
    const schedule = '0 0 1 1 *';
    const job = { name: 'app', sources: [at('source')], to: [at('store')], schedule, maxAge: '1m' };
    await writeFile(at('backup.yaml'), JSON.stringify({ stateDir: at('state'), jobs: [job] }));
    const port = await freePort();
    const args = ['backup', 'daemon', '--config', at('backup.yaml'), '--status', `127.0.0.1:${port}`];
    await using daemon = startCli(args);
    await daemon.until('the page', () => daemon.stdout.includes(`:${port}`));
    const page = new StatusOf(`http://127.0.0.1:${port}`, daemon);
    expect(await page.metricNames()).toEqual(await documentedMetrics('backup'));
    expect(await page.alarm('BACKUP_OVERDUE', 'app', 60_000 + PROMISED_MS)).toMatchObject({ subject: 'app' });
  });
});

// Alone: the whole process is somebody else for a moment.
describe('marks', () => {
  it('that do not stick show at both ends within a minute, with a cure', async ({ expect }) => {
    await using ends = await startEnds();
    // A file of somebody else: it can be read, and not be marked.
    await chmod(ends.at('root'), 0o777);
    await chmod(ends.at('root/DC1'), 0o777);
    await writeFile(ends.at('root/DC1/other'), 'of another owner');
    await chown(ends.at('root/DC1/first'), 65534, 65534);
    let page: StatusOf | undefined;
    let scan: CliProcess | undefined;
    const port = await freePort();
    await asNobody(async () => {
      const args = ['--status', `127.0.0.1:${port}`, '--settle', '50ms'];
      scan = startScan(ends.at('root'), { to: ends.receiver.url, args });
      page = new StatusOf(`http://127.0.0.1:${port}`, scan);
    });
    await using process = scan!;
    await process.until('the page', () => process.stderr.includes('status page'));
    expect((await page!.alarm('MARK_NOT_KEPT')).text).toContain('other');
    expect((await ends.page.alarm('MARK_NOT_KEPT', 'edge1')).text).toContain('edge1: ');
  });
});
