/** Ways in which a seal would stand for what the target lacks, or a scan would never come to its end. */
import { chmodSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { bound, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';
import { digestIn } from '../suites/store/files.ts';

test('a file with a mark of others that the target refuses is not sent over and over', async () => {
  const { root, target, write, at } = setup();
  write('DC1/a');
  write('DC1/b');
  write('DC1/finished.parse');
  for (const name of ['DC1/a', 'DC1/b']) {
    utimesSync(at(name), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at(name), 0o664);
  }
  let refused = 0;
  const put: Target['put'] = async (file, options) => {
    if (file.entry.path !== 'DC1/a') return await target.put(file, options);
    refused++;
    throw new IsyncError('FILE_TOO_LARGE', 'too large', { path: 'DC1/a' });
  };
  const { summary } = await scan(optionsFor(root, { ...bound(target), put }).options);
  expect(summary.problems).toMatchObject([{ path: 'DC1/a', code: 'FILE_TOO_LARGE' }]);
  expect(summary.directories).toMatchObject([{ name: 'DC1', sealed: false }]);
  expect(refused).toBeLessThanOrEqual(2);
});

test('a version with a mark of others that comes during the check of marks is sent', async () => {
  const { root, target, store, write, at } = setup();
  write('DC1/a', 'one');
  write('.outside', 'two');
  write('DC1/finished.parse');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  utimesSync(at('.outside'), OLD_SECONDS + 1, OLD_SECONDS + 1);
  chmodSync(at('DC1/a'), 0o664);
  chmodSync(at('.outside'), 0o664);
  let replaced = false;
  const put: Target['put'] = async (file, options) => {
    const receipt = await target.put(file, options);
    if (!replaced) renameSync(at('.outside'), at('DC1/a'));
    replaced = true;
    return receipt;
  };
  const { summary } = await scan(optionsFor(root, { ...bound(target), put }).options);
  expect(summary.directories).toMatchObject([{ name: 'DC1', sealed: true }]);
  let mtimeUs: number | undefined;
  for await (const entry of store.list('')) if (entry.path.endsWith('DC1/a')) mtimeUs = entry.mtimeUs;
  expect(mtimeUs).toBe((OLD_SECONDS + 1) * 1_000_000);
});

test('a version with a mark of others, and with the size and the whole second of the one before, is sent', async () => {
  const { root, target, store, write, at } = setup();
  write('DC1/a', 'one');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  await scan(optionsFor(root, target).options);
  write('.outside', 'two');
  chmodSync(at('.outside'), 0o664);
  utimesSync(at('.outside'), OLD_SECONDS, OLD_SECONDS);
  renameSync(at('.outside'), at('DC1/a'));
  write('DC1/finished.parse');
  const { summary } = await scan(optionsFor(root, target).options);
  expect(summary).toMatchObject({ files: 1, directories: [{ name: 'DC1', sealed: true }] });
  const kept = await digestIn(store, 'edge1/DC1/a', 'sha256');
  expect(kept).toEqual(digestOf('sha256', Buffer.from('two')));
});

test('a refused version that differs in time alone does not become a seal', async () => {
  const { root, target, write, at } = setup();
  write('DC1/a', 'one');
  write('DC1/finished.parse');
  await scan(optionsFor(root, target).options);
  rmSync(at('DC1/finished.watch'));
  write('DC1/a', 'two');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  chmodSync(at('DC1/a'), 0o664);
  const put: Target['put'] = async ({ entry: { path } }) => {
    throw new IsyncError('IMMUTABLE', 'kept already', { path });
  };
  const { summary } = await scan(optionsFor(root, { ...bound(target), put }).options);
  expect(summary.directories).toMatchObject([{ name: 'DC1', sealed: false }]);
});

test('files with marks of others go also where one file keeps their directory from its seal', async () => {
  const { root, target, write, at, kept } = setup();
  write('DC1/a');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  chmodSync(at('DC1/a'), 0o664);
  symlinkSync('a', at('DC1/link'));
  write('DC1/finished.parse');
  const { summary } = await scan(optionsFor(root, target).options);
  expect(summary.problems).toMatchObject([{ path: 'DC1/link', code: 'NOT_REGULAR' }]);
  expect(await kept('DC1/a')).toBeDefined();
});

test('a file that comes the moment after the seal is noticed', async () => {
  const { root, target, write, at } = setup();
  write('DC1/a');
  write('DC1/finished.parse');
  const { options, sealed } = optionsFor(root, target);
  const { observer } = options;
  await scan({
    ...options,
    observer: {
      ...observer,
      directory: (name, state, isSealed) => {
        observer.directory(name, state, isSealed);
        if (isSealed) writeFileSync(at('DC1/late'), 'late');
      },
    },
  });
  expect(sealed).toEqual(['DC1']);
  const { summary } = await scan(optionsFor(root, target).options);
  expect(summary.problems).toMatchObject([{ path: 'DC1', code: 'SEALED_GROWN' }]);
});

test('a seal of another device’s folder is not believed', async () => {
  const { root, target, write } = setup();
  write('DC1/a');
  write('DC1/finished.parse');
  await scan(optionsFor(root, target).options);
  const other = { ...bound(target), traits: { ...target.traits, device: 'edge2' } };
  const { summary } = await scan(optionsFor(root, other).options);
  expect(summary.directories).toMatchObject([{ name: 'DC1', sealed: true }]);
});
