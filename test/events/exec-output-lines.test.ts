import { expect, it } from 'vitest';
import { OutputLines } from '../../src/exec/output-lines.ts';

it('what a command prints is bounded in lines and in their length', () => {
  const lines: string[] = [];
  const bound = OutputLines.bound();
  const output = new OutputLines((line) => lines.push(line), bound);
  for (let at = 0; at < 100; at++) output.write(Buffer.alloc(65_536, 'x'));
  output.write(Buffer.from('\n'));
  expect(lines.map((line) => line.length)).toEqual([1001]);
  output.write(Buffer.from('short\n'.repeat(1000)));
  output.end();
  expect([lines.length, bound.dropped]).toEqual([200, 801]);
});

it('what a command prints may be cut anywhere, in the middle of a character too', () => {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  for (const byte of Buffer.from('äö\n𝄞')) output.write(Buffer.of(byte));
  output.end();
  expect(lines).toEqual(['äö', '𝄞']);
});
