/** What `finished.watch` stands for: one directory, one store, and the files that it had. */
import { cpSync, existsSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { readSealRecord } from '../../src/scanner/seal-record.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { rel } from '../scanner/support.ts';
import { bound, follow, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

/** Longer than the moment in which a marker is written, in ms. */
const LATER_MS = 50;

/** A scan with one sealed directory behind it. */
async function sealedSetup() {
  const fixture = setup();
  fixture.write('DC1/a', 'one');
  fixture.write('DC1/sub/b', 'three');
  fixture.write('DC1/finished.parse');
  await scan(optionsFor(fixture.root, fixture.target).options);
  await sleep(LATER_MS);
  return fixture;
}

/** The target, as it says who it is. */
function calledStore(target: Target, store: string): Target {
  return {
    ...bound(target),
    identify: async () => ({ store, incarnation: store, listedMtime: true }),
  };
}

describe('the marker', () => {
  test('records the directory, the store and what it holds', async () => {
    const { root, target } = await sealedSetup();
    const { store } = await target.identify();
    expect(readSealRecord(root, rel('DC1'))).toMatchObject({
      directory: 'DC1',
      files: 2,
      bytes: 8,
      ...(store !== undefined && { store }),
    });
  });

  test.each([
    ['copied', (from: string, to: string) => cpSync(from, to, { recursive: true, preserveTimestamps: true })],
    ['renamed', renameSync],
  ])('of a directory that was %s is not believed, told once and renewed', async (_, make) => {
    const { root, target, at, write, kept } = await sealedSetup();
    make(at('DC1'), at('DC2'));
    write('DC2/new');
    const { options, log } = optionsFor(root, target);
    const { summary } = await scan(options);
    expect(summary.directories).toContainEqual({ name: 'DC2', state: 'closed', sealed: true });
    expect(await kept('DC2/new')).toBeDefined();
    expect(await kept('DC2/sub/b')).toBe(5);
    expect(readSealRecord(root, rel('DC2'))?.directory).toBe('DC2');
    expect(log.messages.filter((note) => note.startsWith('finished.watch does not stand for'))).toHaveLength(
      1,
    );
    expect((await scan(optionsFor(root, target).options)).summary.directories).toEqual([]);
  });

  test('of another store is not believed; what is there is compared, not sent', async () => {
    const { root, target } = await sealedSetup();
    const moved = calledStore(target, 'another-store');
    const { summary } = await scan(optionsFor(root, moved).options);
    expect(summary).toMatchObject({ files: 0, directories: [{ name: 'DC1', sealed: true }] });
    expect(readSealRecord(root, rel('DC1'))?.store).toBe('another-store');
  });

  test('is believed where it is somebody’s own word', async () => {
    const { root, target, write, at, kept } = setup();
    write('DC1/a');
    write('DC1/finished.watch', '');
    await sleep(LATER_MS);
    write('DC1/b');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 0, problemCount: 0, directories: [] });
    expect(await kept('DC1/a')).toBeUndefined();
    expect(readFileSync(at('DC1/finished.watch'), 'utf8')).toBe('');
  });
});

describe('a sealed directory', () => {
  test('that its parser closes afterwards is sealed again, with the parser’s marker', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC2/newer');
    for (const path of ['DC1/a', 'DC1']) utimesSync(at(path), OLD_SECONDS, OLD_SECONDS);
    await scan(optionsFor(root, target, { newest: 'name' }).options);
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
    write('DC1/finished.parse', 'closed');
    const { summary } = await scan(optionsFor(root, target, { newest: 'name' }).options);
    expect(summary.directories).toContainEqual({ name: 'DC1', state: 'closed', sealed: true });
    expect(await kept('DC1/finished.parse')).toBe(6);
    const after = await scan(optionsFor(root, target, { newest: 'name' }).options);
    expect(after.summary.directories).toEqual([{ name: 'DC2', state: 'active', sealed: false }]);
  });

  test('that gets a file is a problem, and stays as it is', async () => {
    const { root, target, write, kept } = await sealedSetup();
    write('DC1/late');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary.problems).toMatchObject([{ path: 'DC1', code: 'SEALED_GROWN' }]);
    expect(summary.problems[0]?.message).toContain('DC1/late');
    expect(await kept('DC1/late')).toBeUndefined();
  });

  test('that gets a file is noticed by a daemon, and opened again where that is wanted', async () => {
    const { root, target, write, kept, at } = await sealedSetup();
    const { sealed } = follow(root, target, { reopen: true });
    write('DC1/late');
    await vi.waitFor(async () => expect(await kept('DC1/late')).toBeDefined(), 60_000);
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
  });

  test('that gets a file is sent and sealed again by one run with --once, where that is wanted', async () => {
    const { root, target, write, kept } = await sealedSetup();
    write('DC1/late');
    const { summary } = await scan(optionsFor(root, target, { reopen: true }).options);
    expect(await kept('DC1/late')).toBeDefined();
    expect(summary).toMatchObject({ files: 1, problemCount: 0, directories: [{ sealed: true }] });
  });

  test('of another store that got a file before a daemon knew that is sent there, and is no problem', async () => {
    const { root, target, write, kept } = await sealedSetup();
    write('DC1/late');
    const another = calledStore(target, 'another-store');
    const slow: Target = {
      ...another,
      identify: async () => {
        await sleep(LATER_MS);
        return await another.identify();
      },
    };
    const { sealed, problems } = follow(root, slow);
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
    expect(await kept('DC1/late')).toBeDefined();
    expect(problems).toEqual([]);
  });

  test('that only loses files is left alone', async () => {
    const { root, target, at } = await sealedSetup();
    rmSync(at('DC1/a'));
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ problemCount: 0, directories: [] });
  });

  test('that gets a whole tree with old times is a problem', async () => {
    const { root, target, at, write } = await sealedSetup();
    write('.outside/deep/file');
    await sleep(LATER_MS);
    renameSync(at('.outside/deep'), at('DC1/deep'));
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary.problems).toMatchObject([{ path: 'DC1', code: 'SEALED_GROWN' }]);
  });
});

describe('a seal', () => {
  test('does not count what another incarnation of the target has confirmed', async () => {
    const { root, target, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    const incarnation = (): string => (seals === 0 ? 'first' : 'second');
    const puts: string[] = [];
    let seals = 0;
    const restarted: Target = {
      ...bound(target),
      identify: async () => ({ store: 'one', incarnation: incarnation(), listedMtime: true }),
      put: async (file, options) => {
        puts.push(file.entry.path);
        return { ...(await target.put(file, options)), incarnation: incarnation() };
      },
      // As a target that can't keep times: only for what it has confirmed itself the size is enough.
      async *list(prefix, options) {
        for await (const entry of target.list(prefix, options)) yield { ...entry, mtimeUs: 2_000_000 };
      },
      seal: async (directory, marker, options) => {
        await target.seal(directory, marker, options);
        seals++;
      },
    };
    const { summary } = await scan(optionsFor(root, restarted).options);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
    expect({ puts, seals }).toEqual({ puts: ['DC1/a', 'DC1/a'], seals: 2 });
  });

  test('does not come before a file is sent that the parser wrote while the marker was made', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    let asked = 0;
    const late: Target = {
      ...bound(target),
      identify: async (options) => {
        // The first is before the seal, the second after it.
        if (++asked === 2) writeFileSync(at('DC1/late'), 'late');
        return await target.identify(options);
      },
    };
    await scan(optionsFor(root, late).options);
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
    expect(await kept('DC1/late')).toBe(4);
  });
});
