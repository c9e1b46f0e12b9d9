import { appendFileSync, rmSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { KeptOpen } from '../../src/sender/kept-open.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import { openBelow } from '../scanner/support.ts';
import { bound, isMarked, optionsFor, setup } from './scan-fixture.ts';
import { usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

describe('a file that was read', () => {
  let folder: SourceFolder;
  beforeEach(() => {
    folder = usingForTest(new SourceFolder());
  });

  it('stays open until it is let go of, as long as there is room', () => {
    const keptOpen = new KeptOpen(8);
    const files = ['a', 'b', 'c'].map((name) => {
      folder.write(name, name);
      return folder.source(name, keptOpen);
    });
    for (const file of files) file.readWhole();
    expect(files.map(({ descriptor }) => descriptor !== undefined)).toEqual([true, true, false]);
    expect(openBelow(folder.root)).toHaveLength(2);
    files[0]?.letGo();
    files[0]?.letGo();
    files[2]?.readWhole();
    expect(new Set(openBelow(folder.root))).toEqual(new Set([folder.path('b'), folder.path('c')]));
    for (const file of files) file.letGo();
    expect(openBelow(folder.root)).toEqual([]);
  });

  it('is read anew by its path', () => {
    folder.write('a', 'a');
    const file = folder.source('a', new KeptOpen(undefined));
    expect(file.readWhole().toString()).toBe('a');
    expect(file.readWhole().toString()).toBe('a');
    expect(openBelow(folder.root)).toHaveLength(1);
    appendFileSync(folder.path('a'), 'b');
    expect(() => file.readWhole()).toThrow(IsyncError);
    expect(openBelow(folder.root)).toEqual([]);
  });

  it('is closed once files have run out', () => {
    folder.write('a', 'a');
    const keptOpen = new KeptOpen(undefined);
    keptOpen.ranOut();
    folder.source('a', keptOpen).readWhole();
    expect(openBelow(folder.root)).toEqual([]);
    // Even when one is given back that had been open before.
    keptOpen.giveBack();
    expect(keptOpen.take()).toBe(false);
  });
});

describe('a scan', () => {
  it.each([0, 8, 1024])('marks all, and leaves nothing open, where it may have %i files', async (limit) => {
    const { root, target, at, write } = setup();
    for (let n = 0; n < 10; n++) write(`DC1/${n}`);
    write('DC1/finished.parse');
    const keptOpen = new KeptOpen(limit);
    const take = vi.spyOn(keptOpen, 'take');
    const giveBack = vi.spyOn(keptOpen, 'giveBack');
    const { options, problems } = optionsFor(root, target, { keptOpen });
    await scan(options);
    expect(problems).toEqual([]);
    for (let n = 0; n < 10; n++) expect(isMarked(at(`DC1/${n}`))).toBe(true);
    const taken = take.mock.results.filter(({ value }) => value === true).length;
    expect(taken > 0).toBe(limit > 0);
    expect(giveBack).toHaveBeenCalledTimes(taken);
    expect(openBelow(root)).toEqual([]);
  });

  it('leaves nothing open of a file that goes away between its read and its confirmation', async () => {
    const { root, target, at, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    const { options, problems } = optionsFor(root, target);
    const taking = bound(target);
    taking.put = async (file, given) => {
      const receipt = await target.put(file, given);
      rmSync(at('DC1/a'), { force: true });
      return receipt;
    };
    await scan({ ...options, target: taking });
    expect(problems).toEqual([]);
    expect(openBelow(root)).toEqual([]);
  });
});
