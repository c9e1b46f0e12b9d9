import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { journalLine, leadsToJournal } from '../../src/observe/journal.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

describe('a line for journald', () => {
  it.each([
    ['debug', 7],
    ['info', 6],
    ['warn', 4],
    ['error', 3],
  ])('of level %s begins with the priority %i', (level, priority) => {
    expect(journalLine(JSON.stringify({ level, time: 'x', msg: 'told' }))).toBe(`<${priority}>told`);
  });

  it('quotes what could be taken for two fields, and escapes what a terminal obeys', () => {
    const record = { level: 'info', msg: 'kept', path: 'DC1/a b="c"', plain: 'DC1/é', count: 3, empty: '' };
    expect(journalLine(JSON.stringify({ ...record, bad: '\u001b[2J\n<0>' }))).toBe(
      '<6>kept path="DC1/a b=\\"c\\"" plain=DC1/é count=3 empty="" bad=\\x1b[2J\\x0a<0>',
    );
  });

  it('has what an error says in fields, and its stack below with the priority', () => {
    const err = { type: 'IsyncError', code: 'UNREACHABLE', message: 'no answer', hint: 'Look.' };
    expect(journalLine(JSON.stringify({ level: 'warn', msg: 'again', err }))).toBe(
      '<4>again code=UNREACHABLE error="no answer" hint=Look.',
    );
    const bug = { message: 'x', stack: 'Error: x\n    at y' };
    expect(journalLine(JSON.stringify({ level: 'error', msg: 'bug', err: bug }))).toBe(
      '<3>bug error=x\n<3>  Error: x\n<3>      at y',
    );
  });

  it('shows what is no record as an error', () => {
    expect(journalLine('plain\n')).toBe('<3>plain');
  });
});

describe('JOURNAL_STREAM', () => {
  it('names the stream by device and inode, and is not believed of any other', () => {
    const file = openSync(join(temporaryFolder(), 'stream'), 'w');
    try {
      const { dev, ino } = fstatSync(file);
      expect(leadsToJournal(file, `${dev}:${ino}`)).toBe(true);
      expect(leadsToJournal(file, `${dev}:${ino + 1}`)).toBe(false);
      expect(leadsToJournal(file, undefined)).toBe(false);
      expect(leadsToJournal(file, '')).toBe(false);
    } finally {
      closeSync(file);
    }
  });
});
