import { expect, it } from 'vitest';
import { isLoop, mirrorsIn, viaHeader, viaId } from '../../src/mirror/via.ts';

it('all processes of a mirror have one id, and another mirror has another', () => {
  const id = viaId('s3://a', 'https://cdn.example');
  expect(id).toMatch(/^isync-[0-9a-f]{16}$/);
  expect(viaId('s3://a', 'https://cdn.example')).toBe(id);
  expect(viaId('s3://b', 'https://cdn.example')).not.toBe(id);
  expect(viaId('s3://a', 'https://other.example')).not.toBe(id);
});

const A = `isync-${'a'.repeat(16)}`;
const B = `isync-${'b'.repeat(16)}`;

it.each([
  [undefined, []],
  ['', []],
  [`1.1 ${A}`, [A]],
  [`2.0 x.cloudfront.net (CloudFront), 1.1 ${A} (mirror), 1.1 ${B}`, [A, B]],
  [`1.1 ${B},1.1 ${A}, 1.1 ${B}`, [B, A]],
  [`1.1 ${A}2, 1.1 isync-a`, []],
  [`1.1 x (1.1 ${A}`, []],
])('a request with Via "%s" has been through %j', (via, passed) => {
  expect(mirrorsIn(via)).toEqual(passed);
});

it('an origin is told of all mirrors, ours last', () => {
  expect(viaHeader([], A)).toBe(`1.1 ${A}`);
  expect(mirrorsIn(viaHeader([B], A))).toEqual([B, A]);
});

it('a request that has been here goes round, as does one that has been through more mirrors than there are in a row', () => {
  expect(isLoop([], A)).toBe(false);
  expect(isLoop([B], A)).toBe(false);
  expect(isLoop([A, B], A)).toBe(true);
  const ids = (count: number) =>
    Array.from({ length: count }, (_, index) => `isync-${String(index).padStart(16, '0')}`);
  expect(isLoop(ids(16), A)).toBe(false);
  expect(isLoop(ids(17), A)).toBe(true);
});
