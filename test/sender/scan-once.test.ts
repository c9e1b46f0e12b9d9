import {
  chmodSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { bound, isMarked, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

describe('--once', () => {
  test('does to each directory what its state says', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.watch');
    write('DC2/deep/b');
    write('DC2/finished.parse');
    write('DC3/c');
    write('DC4/d');
    const { options } = optionsFor(root, target, { newest: 'name' });
    const { summary, failure } = await scan(options);
    expect(failure).toBeUndefined();
    expect(summary.directories).toEqual([
      { name: 'DC2', state: 'closed', sealed: true },
      { name: 'DC3', state: 'unclosed', sealed: true },
      { name: 'DC4', state: 'active', sealed: false },
    ]);
    expect(summary.files).toBe(3);
    expect(await kept('DC1/a')).toBeUndefined();
    expect(isMarked(at('DC1/a'))).toBe(false);
    expect(await kept('DC2/finished.parse')).toBeDefined();
    expect(['DC2/deep/b', 'DC3/c', 'DC4/d'].every((path) => isMarked(at(path)))).toBe(true);
    expect(existsSync(at('DC4/finished.watch'))).toBe(false);
  });

  test.each([3, 512])(
    'has as many files of the backlog under way as the target is told to take: %i',
    async (most) => {
      const { root, target, write } = setup();
      for (let n = 0; n < most + 50; n++) write(`DC1/${n}`, '');
      write('DC1/finished.parse');
      const hold = Promise.withResolvers<void>();
      let underWay = 0;
      const put: Target['put'] = async (file, options) => {
        underWay++;
        await hold.promise;
        return await target.put(file, options);
      };
      const { options } = optionsFor(root, {
        ...bound(target),
        traits: { ...target.traits, filesInFlight: most },
        put,
      });
      const scanned = scan(options);
      await vi.waitFor(() => expect(underWay).toBe(most), { timeout: 20_000 });
      hold.resolve();
      const { summary } = await scanned;
      expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
      expect(underWay).toBeGreaterThan(most);
    },
  );

  test('sends a marked file again when the target holds another version of it', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    await scan(optionsFor(root, target).options);
    writeFileSync(at('DC1/a'), 'second, longer');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(await kept('DC1/a')).toBe('second, longer'.length);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
  });

  test('sends a marked file that the target does not have', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    // A file that was marked since the start of a scan is none that was marked before.
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(statSync(at('DC1/a')).ctimeMs));
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 1, skippedMarked: 1, directories: [{ sealed: true }] });
    expect(await kept('DC1/a')).toBeDefined();
  });

  test('sends it also where the directory stays open', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 1, directories: [{ state: 'active', sealed: false }] });
    expect(await kept('DC1/a')).toBeDefined();
  });

  test('sends it once more at most where the target rounds times, and then seals', async () => {
    const { root, target, at, write } = setup();
    for (const name of ['a', 'b']) {
      write(`DC1/${name}`);
      utimesSync(at(`DC1/${name}`), OLD_SECONDS + 0.7, OLD_SECONDS + 0.7);
    }
    const first = await scan(optionsFor(root, target).options);
    expect(first.summary.files).toBe(2);
    write('DC1/finished.parse');
    const rounding: Target = {
      ...bound(target),
      async *list(prefix, options) {
        for await (const entry of target.list(prefix, options))
          yield { ...entry, mtimeUs: Math.floor(entry.mtimeUs / 2_000_000) * 2_000_000 };
      },
    };
    // The first sends both again, and learns by one of them that this is in vain.
    chmodSync(at('DC1/b'), 0o644);
    const { summary } = await scan(optionsFor(root, rounding).options);
    expect(summary).toMatchObject({ problemCount: 0, directories: [{ sealed: true }] });
    expect(summary.files).toBeLessThanOrEqual(3);
  });

  test('with --marks trust leaves its directory unsealed, and says so', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    const { options, problems } = optionsFor(root, target, { marks: 'trust' });
    const { summary } = await scan(options);
    expect(summary).toMatchObject({ files: 0, problemCount: 1, directories: [{ sealed: false }] });
    expect(problems).toMatchObject([{ path: 'DC1/a', code: 'MARK_UNKNOWN' }]);
    expect(await kept('DC1/a')).toBeUndefined();
  });

  test('sends a file that was moved to another directory with its mark, though the first has been written anew', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC1/finished.parse');
    write('DC2/b');
    write('DC2/finished.parse');
    const moved = Promise.withResolvers<void>();
    let seals = 0;
    const moving: Target = {
      ...bound(target),
      seal: async (directory, marker, options) => {
        if (directory === 'DC1' && seals++ === 0) {
          renameSync(at('DC1/a'), at('DC2/a'));
          write('DC1/a', 'second, longer');
          moved.resolve();
        }
        await target.seal(directory, marker, options);
      },
      put: async (file, options) => {
        // DC2 ends after DC1.
        if (file.entry.path === 'DC2/b') await moved.promise;
        return await target.put(file, options);
      },
    };
    const { summary } = await scan(optionsFor(root, moving).options);
    expect(await kept('DC2/a')).toBe('first'.length);
    expect(summary).toMatchObject({ directories: [{ sealed: true }, { sealed: true }] });
  });

  test('seals a directory whose files come from the future, each sent once', async () => {
    const { root, target, at, write } = setup();
    const farSeconds = Date.now() / 1000 + 86_400;
    write('DC1/a');
    utimesSync(at('DC1/a'), farSeconds, farSeconds);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 1, directories: [{ sealed: true }] });
  });

  test('sends each name of such a file once, also where one inode has several', async () => {
    const { root, target, at, write, kept } = setup();
    const farSeconds = Date.now() / 1000 + 86_400;
    write('DC1/a');
    linkSync(at('DC1/a'), at('DC1/b'));
    linkSync(at('DC1/a'), at('DC1/c'));
    utimesSync(at('DC1/a'), farSeconds, farSeconds);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 3, directories: [{ sealed: true }] });
    for (const name of ['a', 'b', 'c']) expect(await kept(`DC1/${name}`)).toBeDefined();
  });

  test('a file that comes while the directory is being sealed is sent before the seal', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    let seals = 0;
    const late: Target = {
      ...bound(target),
      seal: async (directory, marker, options) => {
        if (seals++ === 0) write('DC1/late');
        await target.seal(directory, marker, options);
      },
    };
    const { summary } = await scan(optionsFor(root, late).options);
    expect(await kept('DC1/late')).toBeDefined();
    expect(isMarked(at('DC1/late'))).toBe(true);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
    expect(seals).toBe(2);
  });

  test('a file written to while it is on its way is not marked until its last version is kept', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC1/finished.parse');
    let puts = 0;
    const slow: Target = {
      ...bound(target),
      put: async (file, options) => {
        const receipt = await target.put(file, options);
        if (puts++ === 0) writeFileSync(at('DC1/a'), 'other');
        return receipt;
      },
    };
    const { summary } = await scan(optionsFor(root, slow).options);
    expect(summary).toMatchObject({ files: 1, directories: [{ sealed: true }] });
    expect(puts).toBe(2);
    expect(await kept('DC1/a')).toBe('other'.length);
  });

  test('a problem keeps its directory, and only that, from being sealed', async () => {
    const { root, target, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    write('DC2/b');
    write('DC2/finished.parse');
    const failing: Target = {
      ...bound(target),
      put: async (file, options) => {
        if (file.entry.path === 'DC1/a') throw new IsyncError('IMMUTABLE', 'kept already', { path: 'DC1/a' });
        return await target.put(file, options);
      },
    };
    const { options, problems, sealed } = optionsFor(root, failing);
    const { summary, failure } = await scan(options);
    expect(failure).toBeUndefined();
    expect(problems).toEqual([{ path: 'DC1/a', code: 'IMMUTABLE', message: 'kept already' }]);
    expect(summary.problems).toEqual(problems);
    expect(sealed).toEqual(['DC2']);
  });

  test('an error that is no file’s ends the scan, with what was done until then', async () => {
    const { root, target, at, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    const refusing: Target = {
      ...bound(target),
      put: () => Promise.reject(new IsyncError('AUTH_REFUSED', 'wrong token')),
    };
    const { summary, failure } = await scan(optionsFor(root, refusing).options);
    expect(failure?.code).toBe('AUTH_REFUSED');
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: false }]);
    expect(isMarked(at('DC1/a'))).toBe(false);
  });

  test('oldest directory first', async () => {
    const { root, target, at, write } = setup();
    for (const name of ['DC10', 'DC2', 'DC1']) {
      for (let i = 0; i < 50; i++) {
        write(`${name}/${i}`);
        utimesSync(at(`${name}/${i}`), OLD_SECONDS, OLD_SECONDS);
      }
      write(`${name}/finished.parse`);
    }
    const order: string[] = [];
    const recording: Target = {
      ...bound(target),
      put: (file, options) => {
        order.push(file.entry.path.split('/')[0]!);
        return target.put(file, options);
      },
    };
    await scan(optionsFor(root, recording, { newest: 'name' }).options);
    expect([...new Set(order)]).toEqual(['DC1', 'DC2', 'DC10']);
  });
});

test('a root that is not there is an error of its own', async () => {
  const { target } = setup();
  await expect(scan(optionsFor('/nonexistent/root', target).options)).rejects.toMatchObject({
    code: 'ROOT_MISSING',
  });
});

test('the marker says when it was written, and is never kept at the target', async () => {
  const { root, target, at, write, kept } = setup();
  write('DC1/a');
  write('DC1/finished.parse');
  await scan(optionsFor(root, target).options);
  expect(Date.parse(JSON.parse(readFileSync(at('DC1/finished.watch'), 'utf8')).finished)).not.toBeNaN();
  expect(await kept('DC1/finished.watch')).toBeUndefined();
});
