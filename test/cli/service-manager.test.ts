import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { CliProcess, plainEnvironment, until } from '../../harness/process.ts';
import { lacks } from '../../harness/tools.ts';
import { openServiceManager } from '../../src/cli/service-manager.ts';
import { RecordingLog } from '../recording-log.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** As systemd does, takes datagrams; prints each in a line, with "|" between its own. */
const MANAGER = `
import os, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(manager.recv(4096).decode().strip().replace("\\n", "|"), flush=True)
`;

it.skipIf(['python3', 'systemd-analyze'].map((tool) => lacks(tool as 'python3')).includes(true))(
  'a service tells systemd when it serves, that it lives, and what it does at a signal',
  async () => {
    const [folder, store] = [temporaryFolder(), temporaryFolder()];
    chmodSync(folder, 0o755);
    const socket = join(folder, 'notify');
    const listening = spawn('python3', ['-c', MANAGER, socket], { stdio: ['ignore', 'pipe', 'pipe'] });
    await using manager = new CliProcess(listening, ['python3']);
    await manager.until('the socket', () => manager.stdout.includes('bound'));
    // No terminal can hang up: SIGHUP is for a reload.
    const child = spawn(CLI_NODE, [CLI_MAIN, 'receive', store, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...plainEnvironment(), NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' },
    });
    await using receiver = new CliProcess(child, ['receive']);
    const told = async (what: string, times = 1): Promise<unknown> =>
      await manager.until(what, () => manager.stdout.split(what).length > times);
    await told('READY=1|STATUS=listening on ws://127.0.0.1:');
    await told('WATCHDOG=1', 2);
    receiver.signal('SIGHUP');
    await told('RELOADING=1|MONOTONIC_USEC=');
    await told('READY=1', 2);
    receiver.signal('SIGTERM');
    await told('STOPPING=1');
    expect((await receiver.ended).exitCode).toBe(0);
    expect(receiver.stderr).not.toContain('could not be told');
  },
);

it('a service that ends at once has told systemd of it, though telling takes its time', async () => {
  const [folder, store, told] = [temporaryFolder(), temporaryFolder(), join(temporaryFolder(), 'told')];
  const program = join(folder, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\nsleep 0.2\necho "$@" >> "${told}"\n`, { mode: 0o755 });
  const child = spawn(CLI_NODE, [CLI_MAIN, 'receive', store, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...plainEnvironment(),
      PATH: `${folder}:${process.env['PATH']}`,
      NOTIFY_SOCKET: join(folder, 'none'),
      WATCHDOG_USEC: '100000',
    },
  });
  await using receiver = new CliProcess(child, ['receive']);
  const lines = (): string[] => (existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []);
  await receiver.until('a second message', () => lines().length > 1);
  receiver.signal('SIGTERM');
  expect((await receiver.ended).exitCode).toBe(0);
  expect(lines()).toContain('STOPPING=1');
});

it('feeds the watchdog right after what was being told when it was due, and once', async () => {
  const [folder, told] = [temporaryFolder(), join(temporaryFolder(), 'told')];
  const held = join(folder, 'held');
  const program = `#!/bin/sh\nwhile [ -e "${held}" ]; do sleep 0.01; done\necho "$@" >> "${told}"\n`;
  writeFileSync(join(folder, 'systemd-notify'), program, { mode: 0o755 });
  const lines = (): string[] => (existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []);
  const environment = { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: 'none' };
  const log = new RecordingLog();
  const manager = openServiceManager({ ...environment, WATCHDOG_USEC: '20000000' }, log);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    manager.ready();
    await until('the first message', () => lines().length === 1);
    writeFileSync(held, '');
    manager.reloading(() => {});
    vi.advanceTimersByTime(30_000);
    rmSync(held);
    await until('the watchdog', () => lines().length === 4);
    vi.advanceTimersByTime(10_000);
    await until('the next one', () => lines().length === 5);
    await manager[Symbol.asyncDispose]();
  } finally {
    vi.useRealTimers();
  }
  const all = ['READY=1', expect.stringContaining('RELOADING=1'), 'READY=1', 'WATCHDOG=1', 'WATCHDOG=1'];
  expect(lines()).toEqual(all);
  expect(log.lines).toEqual([]);
});
