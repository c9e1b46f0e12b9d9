import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isync } from './isync-process.ts';

/** Runs `isync` on a Node that says it is `version`. */
function on(version: string, args: readonly string[] = ['--version']) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return isync(args, {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(pretend)}` },
  });
}

describe('a Node that is too old', () => {
  it.each(['12.22.12', '20.20.2', '22.21.9'])('%s is told which one is needed, with 2', async (version) => {
    const { code, stdout, stderr } = await on(version);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^isync: Node\.js 22\.22 or newer is needed, and this is [\d.]+ \(.*\); .*\n$/);
    expect(stderr).toContain(version);
  });

  it.each(['22.22.0', '24.0.0', '26.1.0'])('%s is none', async (version) => {
    expect(await on(version)).toMatchObject({ code: 0, stderr: '' });
  });

  it('is told in the same words by doctor', async () => {
    const told = await on('20.20.2', ['doctor', 'scan', '/datas', '--to', '/mnt']);
    expect(told).toEqual(await on('20.20.2'));
  });

  it('is what package.json says', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
    expect(engines.node).toBe('>=22.22');
  });
});
