import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { plainEnvironment } from '../../harness/process.ts';
import { temporaryFolder } from './temporary-folder.ts';

it.each(['run', 'restore'])(
  'isync backup %s reads what its shell has opened for it, though it begins anew for the sake of memory',
  (command) => {
    const folder = temporaryFolder();
    const config = join(folder, 'config');
    writeFileSync(
      config,
      `jobs: [{ name: app, sources: [${folder}/none], to: [${folder}/store], stateDir: ${folder}/state }]`,
    );
    const place = command === 'run' ? [] : ['latest', '--to', join(folder, 'back')];
    const line = [CLI_MAIN, 'backup', command, ...place, '--config', '/dev/fd/3'];
    const { stdout, stderr } = spawnSync('sh', ['-c', 'exec "$@" 3<"$0"', config, CLI_NODE, ...line], {
      encoding: 'utf8',
      env: plainEnvironment(),
    });
    expect(stdout + stderr).toContain(folder);
    expect(stderr).not.toContain('/dev/fd/3');
  },
);
