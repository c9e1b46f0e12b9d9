import { expect, it } from 'vitest';
import { hasPassed, viaHeader, viaId } from '../../src/mirror/via.ts';

it('all processes of a mirror have one id, and another mirror has another', () => {
  const id = viaId('s3://a', 'https://cdn.example');
  expect(id).toMatch(/^isync-[0-9a-f]{16}$/);
  expect(viaId('s3://a', 'https://cdn.example')).toBe(id);
  expect(viaId('s3://b', 'https://cdn.example')).not.toBe(id);
  expect(viaId('s3://a', 'https://other.example')).not.toBe(id);
});

it.each([
  [undefined, false],
  ['', false],
  ['1.1 isync-a', true],
  ['2.0 x.cloudfront.net (CloudFront), 1.1 isync-a (mirror)', true],
  ['1.1 isync-a2', false],
  ['1.1 x (1.1 isync-a', false],
])('a request with Via "%s" has been here: %s', (via, passed) => {
  expect(hasPassed(via, 'isync-a')).toBe(passed);
});

it('finds its own', () => {
  const id = viaId('s3://a', 'https://cdn.example');
  expect(hasPassed(viaHeader(id), id)).toBe(true);
});
