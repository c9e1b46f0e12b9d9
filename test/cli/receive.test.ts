import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { CliProcess, plainEnvironment } from '../../harness/process.ts';
import { isync, startIsync, type IsyncProcess } from './isync-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

let running: IsyncProcess[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});

async function listening(...args: string[]): Promise<IsyncProcess> {
  const receiver = startIsync(['receive', '--listen', '127.0.0.1:0', ...args]);
  running.push(receiver);
  await vi.waitFor(() => expect(receiver.stdout()).toContain('\n'), { timeout: 60_000 });
  return receiver;
}

describe('isync receive', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'tells in one line where it listens, and ends with 0 on %s',
    async (signal) => {
      const store = temporaryFolder();
      const receiver = await listening(store);
      receiver.child.kill(signal);
      const { code, stdout } = await receiver.ended;
      expect(code).toBe(0);
      expect(stdout).toMatch(/^isync receive: listening on ws:\/\/127\.0\.0\.1:[1-9]\d* \(store \/.*\)\n$/);
      expect(stdout).toContain(`(store ${store})`);
    },
  );

  it('ends in order also where its group gets the signal as well, as timeout(1) and npm have it', async () => {
    const child = spawn(CLI_NODE, [CLI_MAIN, 'receive', temporaryFolder(), '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnvironment(),
      detached: true,
    });
    await using receiver = new CliProcess(child, ['receive']);
    await receiver.until('it to listen', () => receiver.stdout.includes('listening'));
    process.kill(receiver.pid, 'SIGTERM');
    process.kill(-receiver.pid, 'SIGTERM');
    expect(await receiver.ended).toMatchObject({ exitCode: 0 });
  });

  it('tells it as JSON for programs', async () => {
    const store = temporaryFolder();
    const receiver = await listening(store, '--json');
    const line = JSON.parse(receiver.stdout()) as { port: number };
    expect(line).toEqual({
      event: 'listening',
      url: `ws://127.0.0.1:${line.port}`,
      host: '127.0.0.1',
      port: expect.any(Number),
      store,
    });
    receiver.child.kill('SIGTERM');
    expect((await receiver.ended).stdout.trim().split('\n')).toHaveLength(1);
  });

  it('logs JSON lines where stderr is no terminal', async () => {
    const receiver = await listening(temporaryFolder());
    const lines = receiver.stderr().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ level: 'info', msg: 'listening', time: expect.stringMatching(/^\d{4}-/) }),
    );
  });

  it.runIf(process.platform === 'linux')('has as many threads for the disk as it is made for', async () => {
    const receiver = await listening(temporaryFolder());
    const tasks = `/proc/${receiver.child.pid}/task`;
    const names = readdirSync(tasks).map((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim());
    expect(names.filter((name) => name === 'libuv-worker')).toHaveLength(64);
  });

  it('does not make the store', async () => {
    const { code, stderr } = await isync(['receive', join(temporaryFolder(), 'none')]);
    expect(code).toBe(5);
    expect(stderr).toContain('[STORE_MISSING]');
    expect(stderr).toContain('Make the folder');
  });

  it('does not listen beyond loopback without tokens', async () => {
    const { code, stderr } = await isync(['receive', temporaryFolder(), '--listen', '0.0.0.0:0']);
    expect(code).toBe(2);
    expect(stderr).toContain('--insecure');
  });

  it('says that a port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { code, stderr } = await isync(['receive', temporaryFolder(), '--listen', `127.0.0.1:${port}`]);
    server.close();
    expect(code).toBe(2);
    expect(stderr).toContain('the port is taken');
  });

  it('refuses a certificate that is not there', async () => {
    const args = ['receive', temporaryFolder(), '--tls-cert', '/nowhere.pem', '--tls-key', '/nowhere.pem'];
    const { code, stderr } = await isync(args);
    expect(code).toBe(2);
    expect(stderr).toContain('the file of --tls-cert is not there');
  });
});

describe('isync token', () => {
  it('makes, lists and revokes tokens', async () => {
    const tokens = join(temporaryFolder(), 'tokens');
    const added = await isync(['token', 'add', 'edge1', '--tokens', tokens]);
    expect(added.code).toBe(0);
    expect(added.stdout).toMatch(/^\S{20,}\n$/);
    expect(readFileSync(tokens, 'utf8')).not.toContain(added.stdout.trim());
    expect(statSync(tokens).mode & 0o077).toBe(0);

    const listed = await isync(['token', 'list', '--json'], { env: { ISYNC_TOKENS: tokens } });
    const { tokens: entries } = JSON.parse(listed.stdout) as { tokens: { id: string; device: string }[] };
    expect(entries.map(({ device }) => device)).toEqual(['edge1']);
    expect((await isync(['token', 'list', '--tokens', tokens])).stdout).toContain(entries[0]!.id);

    const revoked = await isync(['token', 'revoke', 'edge1', '--tokens', tokens]);
    expect([revoked.code, revoked.stdout]).toEqual([0, '1 token of edge1 revoked\n']);
    expect((await isync(['token', 'list', '--tokens', tokens])).stdout).toBe('');
  });

  it('makes tokens that read, and tells them from others', async () => {
    const tokens = join(temporaryFolder(), 'tokens');
    await isync(['token', 'add', 'edge1', '--tokens', tokens]);
    const added = await isync(['token', 'add', 'edge1', '--read', '--tokens', tokens, '--json']);
    expect(JSON.parse(added.stdout)).toMatchObject({ device: 'edge1', access: 'read' });
    const { stdout } = await isync(['token', 'list', '--tokens', tokens]);
    expect(stdout).toMatch(/^\w+ {2}\S+ {2}edge1\n\w+ {2}\S+ {2}edge1 {2}\(reads\)\n$/);
    const listed = await isync(['token', 'list', '--tokens', tokens, '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ tokens: [{ access: 'write' }, { access: 'read' }] });
  });

  it('refuses a device that can not be one, and one that has no token', async () => {
    const tokens = join(temporaryFolder(), 'tokens');
    expect((await isync(['token', 'add', '../x', '--tokens', tokens])).code).toBe(2);
    await isync(['token', 'add', 'edge1', '--tokens', tokens]);
    const { code, stderr } = await isync(['token', 'revoke', 'edge2', '--tokens', tokens]);
    expect(code).toBe(2);
    expect(stderr).toContain('neither a device with a token nor the id of one');
  });

  it('says that a token file is none', async () => {
    const tokens = join(temporaryFolder(), 'tokens');
    writeFileSync(tokens, 'not JSON');
    expect((await isync(['token', 'list', '--tokens', tokens])).code).toBe(2);
  });
});
