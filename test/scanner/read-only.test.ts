import { execFileSync, spawnSync } from 'node:child_process';
import { utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mayNot } from '../../harness/tools.ts';
import { LONG_AGO, makeRoot, write } from './support.ts';

/** Runs a command in a mount namespace of its own, so that its mounts are gone with it. */
const IN_NAMESPACE = 'exec unshare -m sh -c "$0"';

const canMount =
  spawnSync('sh', ['-c', IN_NAMESPACE, 'mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp']).status ===
  0;

const SCRIPT = `
  import { lstatSync } from 'node:fs';
  const from = (name) => import(new URL(name, process.env.SCANNER));
  const { identityOf } = await from('../model/file-identity.ts');
  const { markFile } = await from('mark.ts');
  const { draftWatchMarker } = await from('markers.ts');
  const root = process.env.ROOT;
  const { dev: device, ino: inode } = lstatSync(root + '/DC1');
  const told = (error) => ({ code: error.code, hint: error.hint });
  console.log(JSON.stringify({
    mark: await markFile(root, 'DC1/a', identityOf(lstatSync(root + '/DC1/a'))).catch(told),
    marker: await draftWatchMarker(root, 'DC1', {}, { device, inode, keepMtime: false }).catch(told),
    keeping: await draftWatchMarker(root, 'DC1', {}, { device, inode, keepMtime: true }).catch(told),
  }));
`;

test.skipIf(mayNot('mount in a namespace', canMount ? undefined : 'unshare -m fails'))(
  'on a root that is mounted read-only marks and markers are READ_ONLY, with a hint',
  () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    utimesSync(`${root}/DC1/a`, LONG_AGO, LONG_AGO);
    const command =
      'mount --bind "$ROOT" "$ROOT" && mount -o remount,ro,bind "$ROOT" && exec "$NODE" -e "$SCRIPT"';
    const output = execFileSync('sh', ['-c', IN_NAMESPACE, command], {
      env: {
        ...process.env,
        ROOT: root,
        NODE: process.execPath,
        SCRIPT,
        NODE_OPTIONS: '--input-type=module',
        SCANNER: new URL('../../src/scanner/', import.meta.url).href,
      },
      encoding: 'utf8',
    });
    const readOnly = { code: 'READ_ONLY', hint: expect.stringMatching(/[Mm]ount .*writable/) };
    expect(JSON.parse(output)).toEqual({ mark: readOnly, marker: readOnly, keeping: readOnly });
  },
);
