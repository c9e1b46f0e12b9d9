import { describe, expect, it } from 'vitest';
import { isNoteName, type NoteName } from '../../../src/store/store-notes.ts';
import { listAll } from './files.ts';
import { type Subject } from './subject.ts';

function nameOf(text: string): NoteName {
  if (!isNoteName(text)) throw new Error(`"${text}" is no name of a note`);
  return text;
}

const [ONE, TWO] = [nameOf('one'), nameOf('two-2')];

export function notesSuite(subject: Subject): void {
  const notes = () => subject.store.notes!;

  describe('notes', () => {
    it('are kept over a restart, replaced whole, and removed', async () => {
      expect(await notes().list()).toEqual([]);
      expect(await notes().read(ONE)).toBeUndefined();
      await notes().write(ONE, Buffer.from('first'));
      await notes().write(TWO, Buffer.from('other'));
      await notes().write(ONE, Buffer.from('1'));
      await subject.reopen();
      expect((await notes().list()).toSorted()).toEqual([ONE, TWO]);
      expect((await notes().read(ONE))?.toString()).toBe('1');
      await notes().remove(ONE);
      await notes().remove(ONE);
      expect(await notes().list()).toEqual([TWO]);
      expect(await notes().read(ONE)).toBeUndefined();
    });

    it('are no files of the store', async () => {
      await notes().write(ONE, Buffer.from('1'));
      expect(await listAll(subject.store)).toEqual([]);
    });
  });
}
