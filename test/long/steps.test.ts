import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { runStep } from '../steps/lib/run-step.ts';

const STEPS = [
  'scan_p0w0',
  'scan_p0w1',
  'scan_p1w0',
  'scan_p1w1',
  'fsync_x0',
  'fsync_x1',
  'fsync_x1_trust',
  'edx1',
  'edx2',
];

const scriptOf = (name: string): string => join(import.meta.dirname, '../steps', name);

async function runScript(
  name: string,
  args: readonly string[],
  folder: string,
): Promise<{ code: number; output: string }> {
  const script = scriptOf(name);
  return await new Promise((resolve) => {
    execFile(script, args, { env: { ...process.env, ISYNC_STEPS_DIR: folder } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, output: stdout + stderr });
    });
  });
}

describe('the step scripts', () => {
  test.each(STEPS)('%s is the same as the others, and may be run', (name) => {
    expect(readFileSync(scriptOf(name), 'utf8')).toBe(readFileSync(scriptOf('edx1'), 'utf8'));
    expect(statSync(scriptOf(name)).mode & 0o111).toBe(0o111);
  });

  test.concurrent.each(STEPS)('%s passes in one call', async (name) => {
    await using folder = await temporaryFolder('steps');
    let output = '';
    const print = (line: string): void => void (output += `${line}\n`);
    const code = await runStep(name, [], { folder: folder.path, print, complain: print });
    expect(output).not.toContain('Failed');
    expect(output).toContain(`Pass ${name}: `);
    expect({ code, left: existsSync(join(folder.path, name)) }).toEqual({ code: 0, left: false });
  });

  test('a step passes in calls of their own for each phase', async () => {
    await using folder = await temporaryFolder('steps');
    for (const phase of ['setup', 'execute', 'verify']) {
      const { code, output } = await runScript('scan_p1w0', [phase], folder.path);
      expect({ code, output }).toEqual({
        code: 0,
        output: expect.stringMatching(/^(Pass scan_p1w0: .+\n)+$/),
      });
    }
    expect(existsSync(join(folder.path, 'scan_p1w0'))).toBe(true);
    expect(await runScript('scan_p1w0', ['cleanup'], folder.path)).toMatchObject({ code: 0 });
    expect(existsSync(join(folder.path, 'scan_p1w0'))).toBe(false);
  });

  test('a step that was not set up fails and says why', async () => {
    await using folder = await temporaryFolder('steps');
    const { code, output } = await runScript('fsync_x0', ['verify'], folder.path);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('fsync_x0 setup') });
  });

  test('a step explains itself, and refuses what it does not know', async () => {
    await using folder = await temporaryFolder('steps');
    expect(await runScript('edx2', ['help'], folder.path)).toMatchObject({
      code: 0,
      output: expect.stringContaining('Usage: edx2 [setup | execute | verify | cleanup | help]'),
    });
    expect(await runScript('edx2', ['destroy'], folder.path)).toMatchObject({ code: 2 });
  });
});
