import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { build } from '../../harness/build.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';

test.each(['12.22.12', '20.19.0'])(
  'what is built tells Node %s in one line which one it needs',
  async (version) => {
    await using folder = await temporaryFolder('old-node');
    const main = await build(join(folder.path, 'isync'));
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder.path, `node@${version}`]);
    const old = join(folder.path, 'node_modules/node/bin/node');
    const run = (args: readonly string[]) => spawnSync(old, [main, ...args], { encoding: 'utf8' });
    for (const args of [['--version'], ['scan', '/nowhere', '--to', 'ws://127.0.0.1:1', '--once']])
      expect(run(args)).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringMatching(
          new RegExp(`^isync: Node\\.js 22\\.22 or newer is needed, and this is ${version} .*\\n$`),
        ),
      });
  },
);
