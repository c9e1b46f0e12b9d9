import { describe, expect, it } from 'vitest';
import { encode } from '../../src/protocol/codec.ts';
import { Packer } from '../../src/sender/ws/packer.ts';
import { noise, telemetry } from './source-folder.ts';

const chunk = (content: Buffer): Buffer => encode({ type: 'chunk', id: 1, offset: 0, content });
const NOISE = chunk(noise(10_000));
const TEXT = chunk(telemetry(10_000));

/** Whether each of `count` messages of text goes packed. */
function fates(packer: Packer, count: number): boolean[] {
  return Array.from({ length: count }, () => packer.pack(TEXT) !== TEXT);
}

describe('a packer', () => {
  it('packs what gets smaller', () => {
    const packer = new Packer();
    const packed = packer.pack(TEXT);
    expect(packed.length).toBeLessThan(TEXT.length / 3);
    expect(packer.expansion).toBeGreaterThan(3);
    expect(packer.expansion).toBeLessThanOrEqual(4);
  });

  it('leaves what does not, and what hardly does, as it is', () => {
    const packer = new Packer();
    expect(packer.pack(NOISE)).toBe(NOISE);
    const hardly = chunk(Buffer.concat([noise(9500), Buffer.alloc(500)]));
    expect(packer.pack(hardly)).toBe(hardly);
    expect(packer.expansion).toBe(1);
  });

  it('tries only each 16th message after four in vain, until one gets smaller', () => {
    const packer = new Packer();
    for (let n = 0; n < 4; n++) packer.pack(NOISE);
    expect(fates(packer, 15)).toEqual(Array.from({ length: 15 }, () => false));
    expect(fates(packer, 5)).toEqual([true, true, true, true, true]);
  });

  it('goes on trying while not four in a row were in vain', () => {
    const packer = new Packer();
    for (let n = 0; n < 3; n++) packer.pack(NOISE);
    expect(fates(packer, 1)).toEqual([true]);
    for (let n = 0; n < 3; n++) packer.pack(NOISE);
    expect(fates(packer, 1)).toEqual([true]);
  });

  it('tries again seldom after a try that was in vain as well', () => {
    const packer = new Packer();
    for (let n = 0; n < 4 + 16; n++) packer.pack(NOISE);
    expect(fates(packer, 16).filter(Boolean)).toHaveLength(1);
  });
});
