/** What happens in a data directory while it is being sealed, after its last listing. */
import { appendFileSync, existsSync, rmSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import type * as Markers from '../../src/scanner/markers.ts';
import type { WatchMarkerDraft } from '../../src/scanner/markers.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { bound, follow, isMarked, optionsFor, setup } from './scan-fixture.ts';

/** What happens just after our marker has got its name. */
let onceNamed: (() => void) | undefined;

vi.mock('../../src/scanner/markers.ts', async (original) => {
  const markers = await original<typeof Markers>();
  return {
    ...markers,
    async draftWatchMarker(...args: Parameters<typeof Markers.draftWatchMarker>): Promise<WatchMarkerDraft> {
      const draft = await markers.draftWatchMarker(...args);
      return {
        isUndisturbed: async () => await draft.isUndisturbed(),
        async publish() {
          const mtimeMs = await draft.publish();
          onceNamed?.();
          onceNamed = undefined;
          return mtimeMs;
        },
        [Symbol.asyncDispose]: async () => await draft[Symbol.asyncDispose](),
      };
    },
  };
});

/** A target that does `action` before its first seal. */
function beforeFirstSeal(target: Target, action: () => unknown): Target {
  let seals = 0;
  return {
    ...bound(target),
    seal: async (directory, marker, options) => {
      if (seals++ === 0) await action();
      await target.seal(directory, marker, options);
    },
  };
}

describe('while a directory is being sealed', () => {
  test('a file that comes in a subfolder is sent before the seal', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/sub/a');
    write('DC1/finished.parse');
    const late = beforeFirstSeal(target, () => write('DC1/sub/late'));
    const { summary } = await scan(optionsFor(root, late).options);
    expect(await kept('DC1/sub/late')).toBeDefined();
    expect(isMarked(at('DC1/sub/late'))).toBe(true);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
  });

  test('a write to a file that was sent is sent before the seal', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC2/b');
    const late = beforeFirstSeal(target, () => appendFileSync(at('DC1/a'), ' second'));
    const { summary } = await scan(optionsFor(root, late, { newest: 'name' }).options);
    expect(await kept('DC1/a')).toBe('first second'.length);
    expect(summary.directories).toContainEqual({ name: 'DC1', state: 'unclosed', sealed: true });
  });

  test('what the parser writes into its marker then is published before the seal', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.parse', '');
    let seals = 0;
    const late: Target = {
      ...bound(target),
      seal: async (directory, marker, options) => {
        await target.seal(directory, marker, options);
        if (seals++ === 0) appendFileSync(at('DC1/finished.parse'), 'all of it');
      },
    };
    const { summary } = await scan(optionsFor(root, late).options);
    expect(await kept('DC1/finished.parse')).toBe('all of it'.length);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
  });

  test('what the parser writes into its marker while ours is named is published, and sealed anew', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.parse', '');
    onceNamed = () => appendFileSync(at('DC1/finished.parse'), 'all of it');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(await kept('DC1/finished.parse')).toBe('all of it'.length);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
  });

  test('it stays open where it has become the newest again', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC2/b');
    const sealed = Promise.withResolvers<void>();
    const states: string[] = [];
    const removing: Target = {
      ...bound(target),
      seal: async (directory, marker, options) => {
        rmSync(at('DC2'), { recursive: true });
        await vi.waitFor(() => expect(states.at(-1)).toBe('active'), 60_000);
        await target.seal(directory, marker, options);
        sealed.resolve();
      },
    };
    const { options } = optionsFor(root, target);
    const directory = (name: string, state: string): void => void (name === 'DC1' && states.push(state));
    follow(root, removing, { newest: 'name', observer: { ...options.observer, directory } });
    await sealed.promise;
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
    write('DC1/late');
    await vi.waitFor(async () => expect(await kept('DC1/late')).toBeDefined(), 60_000);
    expect(existsSync(at('DC1/finished.watch'))).toBe(false);
  });
});
