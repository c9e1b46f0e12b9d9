import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type CommandOptions,
  commandOutput,
  type CommandSource,
} from '../../src/backup/pack/command-output.ts';
import { RecordingLog } from '../recording-log.ts';

let folder: string;
let log: RecordingLog;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-command-'));
  log = new RecordingLog();
});
afterEach(() => rmSync(folder, { recursive: true }));

const sourceOf = (command: readonly string[], allowEmpty = false): CommandSource => ({
  kind: 'command',
  command,
  as: 'out',
  allowEmpty,
});

function output(
  script: string,
  more: Partial<CommandOptions> & { allowEmpty?: boolean } = {},
): Promise<string> {
  return commandOutput(sourceOf(['sh', '-c', script], more.allowEmpty), folder, { log, ...more });
}

const failing = (message: RegExp) => ({
  code: 'SOURCE_FAILED',
  message: expect.stringMatching(message) as string,
});
const isRunning = (pid: number): boolean => spawnSync('kill', ['-0', String(pid)]).status === 0;

describe('what a command prints', () => {
  it('is in a file for the owner alone, whatever bytes it is', async () => {
    const path = await output('head -c 5000000 /dev/zero; printf "\\377\\n\\000"');
    const content = readFileSync(path);
    expect(content.length).toBe(5_000_003);
    expect(content.subarray(-3)).toEqual(Buffer.from([0xff, 0x0a, 0x00]));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is used again where it is there, and not that of another command', async () => {
    const script = 'date +%N';
    const path = await output(script);
    const before = readFileSync(path);
    expect(await output(script)).toBe(path);
    expect(readFileSync(path)).toEqual(before);
    expect(await output('echo other')).not.toBe(path);
  });

  it('is begun anew where the run was killed before its end', async () => {
    const path = await output('echo whole');
    rmSync(path);
    writeFileSync(`${path}.partial`, 'half of a much longer text');
    expect(await output('echo whole')).toBe(path);
    expect(readFileSync(path, 'utf8')).toBe('whole\n');
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.each([
    ['echo half; exit 3', /^the command of "out" \(sh\) ended with 3$/],
    ['echo half; kill -9 $$', /was ended by SIGKILL$/],
    ['true', /printed nothing$/],
  ])('is not kept of %s', async (script, message) => {
    await expect(output(script)).rejects.toMatchObject(failing(message));
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    [['/no/such/program'], /\(program\) could not be started/],
    [['sh', 'a\0b'], /\(sh\) could not be started/],
  ])('needs a program: %j', async (command, message) => {
    await expect(commandOutput(sourceOf(command), folder, { log })).rejects.toMatchObject(failing(message));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('may be nothing where that is allowed', async () => {
    expect(statSync(await output('true', { allowEmpty: true })).size).toBe(0);
  });

  it('has its stderr in the log, and gets no secret of ours', async () => {
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    const path = await output('echo trouble >&2; echo "<$AWS_SECRET_ACCESS_KEY>"');
    vi.unstubAllEnvs();
    expect(readFileSync(path, 'utf8')).toBe('<>\n');
    expect(log.at('warn').map(({ fields }) => fields)).toEqual([{ as: 'out', line: 'trouble' }]);
  });

  it('must leave room on the disk, and the command is ended', async () => {
    const pidFile = join(folder, 'pid');
    const script = `echo $$ > ${pidFile}; exec cat /dev/zero`;
    await expect(output(script, { leastFreeBytes: 2 ** 60 })).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(readdirSync(folder)).toEqual(['pid']);
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
  });

  it('is waited for where its end comes later than that of the program', async () => {
    const path = await output('(sleep 0.3; echo late) & echo early');
    expect(readFileSync(path, 'utf8')).toBe('early\nlate\n');
  });

  it('is not kept where something holds it open', async () => {
    const pidFile = join(folder, 'pid');
    const script = `sleep 1000 & echo $! > ${pidFile}; echo early`;
    await expect(output(script, { heldOpenMs: 100 })).rejects.toMatchObject(
      failing(/holds its output open$/),
    );
    expect(readdirSync(folder)).toEqual(['pid']);
    process.kill(Number(readFileSync(pidFile, 'utf8')));
  });

  it('ends with the run, and all that it has started', async () => {
    const controller = new AbortController();
    const pidFile = join(folder, 'pid');
    const script = `sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`;
    const running = output(script, { signal: controller.signal });
    await vi.waitUntil(() => existsSync(pidFile), { timeout: 20_000 });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await vi.waitUntil(() => !isRunning(Number(readFileSync(pidFile, 'utf8'))), { timeout: 20_000 });
    expect(readdirSync(folder)).toEqual(['pid']);
  });
});
