import { expect, it } from 'vitest';
import { AccessProof } from '../../src/events/action/download/access-proof.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { temporaryState } from './temporary-state.ts';

async function stateWith(...keys: string[]): Promise<PullState> {
  const state = await temporaryState();
  for (const key of keys)
    await state.set({
      bucket: 'b',
      key,
      kind: 'file',
      folder: '/x',
      path: parseRelPath(key),
      etag: '',
      versionId: undefined,
      size: 0,
      mtimeUs: 0,
      sequencer: undefined,
      timeMs: undefined,
    });
  return state;
}

it('calls that wait share a look, which begins after them', async () => {
  const waiting: (() => void)[] = [];
  const proof = new AccessProof(await stateWith('f', 'g'), async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return true;
  });
  const first = proof.of('b', '', 'f');
  await expect.poll(() => waiting.length).toBe(1);
  const later = Array.from({ length: 100 }, () => proof.of('b', '', 'f'));
  waiting.shift()!();
  expect(await first).toBe('works');
  await expect.poll(() => waiting.length).toBe(1);
  waiting.shift()!();
  expect(new Set(await Promise.all(later))).toEqual(new Set(['works']));
  expect(waiting).toHaveLength(0);
});

it('looks farther and farther, first where something was read last', async () => {
  const keys = Array.from({ length: 40 }, (_, i) => String(100 + i));
  const asked: string[] = [];
  const proof = new AccessProof(await stateWith(...keys), async ({ key }) => {
    asked.push(key);
    return false;
  });
  proof.read('b', '1', '139');
  expect(await proof.of('b', '1', '100')).toBe('refused');
  expect(asked).toEqual(['139', '101', '102', '104', '108', '116', '132']);
  // Nothing goes meanwhile.
  expect(await proof.of('b', '1', '101')).toBe('refused');
  expect(asked).toHaveLength(7);
});

it('looks at the whole bucket where no other key is below the prefix', async () => {
  const state = await stateWith('a/f', 'b/f');
  const proof = new AccessProof(state, async ({ key }) => key === 'b/f');
  expect(await proof.of('b', 'a/', 'a/f')).toBe('works');
  await state.remove('b', 'b/f');
  expect(await proof.of('b', 'a/', 'a/f')).toBe('unknown');
});

it('trouble is told, and proves nothing', async () => {
  const trouble = new Error('trouble');
  let isTrouble = true;
  const proof = new AccessProof(await stateWith('f', 'g'), async () => {
    if (isTrouble) throw trouble;
    return true;
  });
  await expect(proof.of('b', '', 'f')).rejects.toBe(trouble);
  isTrouble = false;
  expect(await proof.of('b', '', 'f')).toBe('works');
});
