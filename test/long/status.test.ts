import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startServer } from '../../src/http/server.ts';
import { textResponse } from '../../src/http/text-response.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';
import { openStatusSocket } from '../../src/observe/status/status-socket.ts';
import { RecordingLog } from '../recording-log.ts';
import { isync, startIsync, type Ended, type IsyncProcess } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };

/** XDG_RUNTIME_DIR of each test. */
let runtime = '';
let running: IsyncProcess[] = [];
beforeEach(() => {
  runtime = temporaryFolder();
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});

const env = (): Record<string, string> => ({ XDG_RUNTIME_DIR: runtime, TMPDIR: runtime });
const sockets = (): string[] =>
  existsSync(join(runtime, 'isync')) ? readdirSync(join(runtime, 'isync')) : [];

/** Starts a command, and waits until it can be asked. */
async function start(...args: string[]): Promise<IsyncProcess> {
  const started = startIsync(args, { env: env() });
  running.push(started);
  const own = `${args[0]}-${started.child.pid}.sock`;
  await vi.waitFor(() => expect(sockets()).toContain(own), PATIENCE);
  return started;
}

function receive(): Promise<IsyncProcess> {
  return start('receive', temporaryFolder(), '--listen', '127.0.0.1:0');
}

function status(...args: string[]): Promise<Ended> {
  return isync(['status', ...args], { env: env() });
}

/** A folder where sockets of this test may be. */
function folder(): string {
  const path = join(runtime, 'isync');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function boardWithAlarm(): StatusBoard {
  const board = new StatusBoard({ command: 'receive', subject: '/srv/\u001b[31mstore', version: '9.9.9' });
  board.alarms.raise({
    code: 'STORE_FULL',
    severity: 'critical',
    subject: 'edge\u001b]0;x\u0007',
    text: 'The store is full.',
    cure: 'Make room.',
  });
  return board;
}

describe('isync status', () => {
  it('shows every command that runs here, and ends with 0 where all is well', async () => {
    await receive();
    const root = temporaryFolder();
    await start('scan', root, '--to', temporaryFolder(), '--device', 'edge1');
    await vi.waitFor(async () => {
      const { code, stdout } = await status();
      expect(stdout).toMatch(/^receive \S+: idle$/m);
      expect(stdout).toContain(`scan ${root} → `);
      expect(stdout).toMatch(/^ {2}pid \d+ on \S+, isync \d+\.\d+\.\d+, for \d+s$/m);
      expect(code).toBe(0);
    }, PATIENCE);
    const told = JSON.parse((await status('--json')).stdout) as {
      reports: { command: string; alarms: unknown[] }[];
      exitCode: number;
    };
    expect(told.reports.map(({ command }) => command)).toEqual(['receive', 'scan']);
    expect(told.exitCode).toBe(0);
  });

  it('ends with 4 where nothing answers, and a command that has ended leaves nothing', async () => {
    const { child, ended } = await receive();
    child.kill('SIGTERM');
    await ended;
    expect(sockets()).toEqual([]);
    const { code, stderr } = await status();
    expect(code).toBe(4);
    expect(stderr).toContain('no command of isync that can be asked is running here [UNREACHABLE]');
  });

  it('is not misled by what a killed command has left, and the next one removes it', async () => {
    const { child, ended } = await receive();
    child.kill('SIGKILL');
    await ended;
    expect(sockets()).toHaveLength(1);
    expect((await status()).code).toBe(4);
    const next = await receive();
    expect(sockets()).toEqual([`receive-${next.child.pid}.sock`]);
  });

  it('ends with 1 where something needs a person, says what to do, and shows names as text', async () => {
    const board = boardWithAlarm();
    await using _ = await openStatusSocket({
      folder: folder(),
      command: 'receive',
      report: () => board.report(),
    });
    const { code, stdout } = await status();
    expect(code).toBe(1);
    expect(stdout).toContain('receive /srv/\\x1b[31mstore: starting');
    expect(stdout).toContain('! STORE_FULL edge\\x1b]0;x\\x07: The store is full. (for ');
    expect(stdout).toContain('    Make room.\n');
    expect(stdout).not.toContain('\u001b');
  });

  it('says which command does not answer, and ends with 1', async () => {
    const path = join(folder(), `scan-${process.pid}.sock`);
    const mute = createServer(() => undefined).listen(path);
    try {
      const { code, stdout } = await status();
      expect(code).toBe(1);
      expect(stdout).toBe(`scan (pid ${process.pid}): it has not answered within 5 s\n`);
    } finally {
      mute.close();
    }
  });

  it('looks again and again with --watch, also while nothing answers', async () => {
    folder();
    const watching = startIsync(['status', '--watch', '--json'], { env: env() });
    running.push(watching);
    const told = (): { exitCode: number }[] =>
      watching
        .stdout()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { exitCode: number });
    await vi.waitFor(() => expect(told().at(-1)?.exitCode).toBe(4), PATIENCE);
    const board = boardWithAlarm();
    await using _ = await openStatusSocket({
      folder: folder(),
      command: 'receive',
      report: () => board.report(),
    });
    await vi.waitFor(() => expect(told().at(-1)?.exitCode).toBe(1), PATIENCE);
    board.alarms.clear('STORE_FULL', 'edge\u001b]0;x\u0007');
    await vi.waitFor(() => expect(told().at(-1)?.exitCode).toBe(0), PATIENCE);
  });
});

describe('isync status --url', () => {
  it('asks a status page, with its token', async () => {
    const board = boardWithAlarm();
    await using server = await page(board, 'sesame-sesame-sesame');
    const url = server.url('http');
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, 'sesame-sesame-sesame\n');
    const { code, stdout } = await status('--url', url, '--token-file', file);
    expect(code).toBe(1);
    expect(stdout).toContain('! STORE_FULL');
    const without = await status('--url', url);
    expect(without.code).toBe(3);
    expect(without.stderr).toContain('needs a token [AUTH_REFUSED]');
  });

  it.each([
    ['http://127.0.0.1:1', 4, "127.0.0.1:1 can't be asked"],
    ['ftp://127.0.0.1', 2, 'is no http://HOST:PORT'],
    ['http://a:b@127.0.0.1', 2, 'has a user or password in it'],
  ])('%s ends with %i', async (url, exit, message) => {
    const { code, stderr } = await status('--url', url);
    expect(code).toBe(exit);
    expect(stderr).toContain(message);
  });
});

describe('a command that runs long', () => {
  it('writes a line of status to its log at SIGUSR1, and opens no debugger', async () => {
    const receiver = await receive();
    receiver.child.kill('SIGUSR1');
    await vi.waitFor(() => expect(receiver.stderr()).toContain('"msg":"status"'), PATIENCE);
    expect(receiver.stderr()).toContain('"alarms":0');
    expect(receiver.stderr()).not.toContain('Debugger');
  });

  it('says once that it can not be asked, and does its work', async () => {
    const foreign = join(runtime, 'isync');
    mkdirSync(foreign);
    chmodSync(foreign, 0o777);
    writeFileSync(join(runtime, `isync-${process.getuid?.()}`), 'in the way');
    const started = startIsync(['receive', temporaryFolder(), '--listen', '127.0.0.1:0'], { env: env() });
    running.push(started);
    await vi.waitFor(() => expect(started.stdout()).toContain('listening on'), PATIENCE);
    expect(started.stderr().split('isync status can not ask this command')).toHaveLength(2);
    expect(sockets()).toEqual([]);
  });
});

function page(board: StatusBoard, token: string) {
  const log = new RecordingLog();
  return startServer({
    listen: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    limits: {
      requestMs: 10_000,
      bodyBytes: 0,
      stallMs: 10_000,
      keepAliveMs: 0,
      endMs: 1000,
      unadmitted: { total: 64, perAddress: 32 },
    },
    log,
    warnings: new ThrottledLog(log),
    handler: async ({ target, headers }) => {
      if (headers['authorization'] !== `Bearer ${token}`) return textResponse(401, 'a token is needed');
      return target === '/status.json'
        ? { status: 200, body: JSON.stringify(board.report()) }
        : textResponse(404, 'nothing');
    },
  });
}
