import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isync, startIsync, type IsyncProcess } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };
/** What was refused twice before its process was killed is due after a minute. */
const OWED_PATIENCE = { ...PATIENCE, timeout: 180_000 };

let state = '';
let running: IsyncProcess[] = [];
beforeEach(() => {
  state = temporaryFolder();
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});

const env = (): Record<string, string> => ({ XDG_STATE_HOME: state, XDG_RUNTIME_DIR: state });

function start(...args: string[]): IsyncProcess {
  const started = startIsync(args, { env: env() });
  running.push(started);
  return started;
}

/** A root with closed directories of one file each. */
function rootWith(...directories: string[]): string {
  const root = temporaryFolder();
  for (const name of directories) closeDirectory(root, name);
  return root;
}

function closeDirectory(root: string, name: string): void {
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, 'a.bin'), 'aaaa');
  writeFileSync(join(root, name, 'finished.parse'), '');
}

interface Told {
  readonly occasion: string;
  readonly directory?: string;
  readonly device?: string;
  readonly code?: string;
  readonly cure?: string;
}

/** A program that keeps what it is told, and ends with 0 where `takes`. */
function program(takes = true): { readonly path: string; told(): Told[] } {
  const folder = temporaryFolder();
  const path = join(folder, 'hook');
  const out = join(folder, 'told');
  writeFileSync(path, `#!/bin/sh\ncat >> ${out}\nexit ${takes ? 0 : 1}\n`);
  chmodSync(path, 0o755);
  return {
    path,
    told: () => (existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n').map(parsed) : []),
  };
}

function parsed(line: string): Told {
  return JSON.parse(line) as Told;
}

describe('--on-seal', () => {
  it('tells a program of each directory that a scan seals, once', async () => {
    const hook = program();
    const root = rootWith('DC1', 'DC 2  "x"');
    const scan = [
      'scan',
      root,
      '--to',
      temporaryFolder(),
      '--once',
      '--device',
      'edge1',
      '--on-seal',
      hook.path,
    ];
    expect((await isync(scan, { env: env() })).code).toBe(0);
    expect(
      hook
        .told()
        .map(({ directory = '' }) => directory)
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['DC 2  "x"', 'DC1']);
    expect(hook.told()[0]).toMatchObject({ occasion: 'seal', device: 'edge1', command: 'scan' });
    expect((await isync(scan, { env: env() })).code).toBe(0);
    expect(hook.told()).toHaveLength(2);
  });

  it('tries again until a server takes it, and does not keep the scan waiting', async () => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        bodies.push(body);
        response.writeHead(bodies.length < 3 ? 503 : 204).end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
      const root = rootWith('DC1');
      start('scan', root, '--to', temporaryFolder(), '--device', 'edge1', '--on-seal', url);
      await vi.waitFor(() => expect(bodies.length).toBeGreaterThanOrEqual(1), PATIENCE);
      closeDirectory(root, 'DC2');
      await vi.waitFor(() => expect(existsSync(join(root, 'DC2', 'finished.watch'))).toBe(true), PATIENCE);
      await vi.waitFor(() => {
        const directories = bodies.slice(2).map((body) => parsed(body).directory);
        expect(new Set(directories)).toEqual(new Set(['DC1', 'DC2']));
      }, PATIENCE);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('owes what a killed scan could not tell to the next one', async () => {
    const refusing = program(false);
    const root = rootWith('DC1');
    const to = temporaryFolder();
    const killed = start('scan', root, '--to', to, '--device', 'edge1', '--on-seal', refusing.path);
    await vi.waitFor(() => expect(refusing.told()).not.toEqual([]), PATIENCE);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const hook = program();
    start('scan', root, '--to', to, '--device', 'edge1', '--on-seal', hook.path);
    await vi.waitFor(
      () => expect(hook.told()).toMatchObject([{ occasion: 'seal', directory: 'DC1' }]),
      OWED_PATIENCE,
    );
  });

  it('tells at the receiver of each directory that arrives sealed', async () => {
    const hook = program();
    const receiver = start(
      'receive',
      temporaryFolder(),
      '--listen',
      '127.0.0.1:0',
      '--json',
      '--on-seal',
      hook.path,
    );
    await vi.waitFor(() => expect(receiver.stdout()).toContain('\n'), PATIENCE);
    const { url } = JSON.parse(receiver.stdout()) as { url: string };
    const { code } = await isync(['scan', rootWith('DC1'), '--to', url, '--once', '--device', 'edge1'], {
      env: env(),
    });
    expect(code).toBe(0);
    await vi.waitFor(
      () => expect(hook.told()).toMatchObject([{ command: 'receive', device: 'edge1', directory: 'DC1' }]),
      PATIENCE,
    );
  });
});

describe('--on-problem', () => {
  it('tells what is wrong, with its cure, once over restarts', async () => {
    const hook = program();
    const root = rootWith('DC1');
    symlinkSync('a.bin', join(root, 'DC1', 'link'));
    const scan = ['scan', root, '--to', temporaryFolder(), '--device', 'edge1', '--on-problem', hook.path];
    const first = start(...scan);
    await vi.waitFor(
      () =>
        expect(hook.told()).toMatchObject([{ occasion: 'problem', code: 'NOT_REGULAR', command: 'scan' }]),
      PATIENCE,
    );
    expect(hook.told()[0]?.cure).toContain('Remove it');
    first.child.kill('SIGTERM');
    await first.ended;
    const second = start(...scan);
    await vi.waitFor(() => expect(second.stderr()).toContain('NOT_REGULAR'), PATIENCE);
    expect(hook.told()).toHaveLength(1);
  });

  it('tells at the receiver what is wrong with a device', async () => {
    const hook = program();
    const store = temporaryFolder();
    const args = ['--listen', '127.0.0.1:0', '--json', '--max-silence', '2s', '--on-problem', hook.path];
    const receiver = start('receive', store, ...args);
    await vi.waitFor(() => expect(receiver.stdout()).toContain('\n'), PATIENCE);
    const { url } = JSON.parse(receiver.stdout()) as { url: string };
    const scan = ['scan', rootWith('DC1'), '--to', url, '--device', 'edge1'];
    expect((await isync([...scan, '--once'], { env: env() })).code).toBe(0);
    await vi.waitFor(
      () =>
        expect(hook.told()).toMatchObject([
          { occasion: 'problem', command: 'receive', code: 'DEVICE_SILENT', subject: 'edge1' },
        ]),
      PATIENCE,
    );
    expect(hook.told()[0]?.cure).toContain('Check that the device is on');
  });

  it.each([
    ['--on-problem', 'ftp://x/y', 'is no URL like https://…'],
    ['--on-seal', 'mail -s x', 'is one program, for there is no shell'],
  ])('%s %s is refused', async (option, value, message) => {
    const { code, stderr } = await isync(['scan', '/x', '--to', '/y', option, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
