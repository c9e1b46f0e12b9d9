import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Returns what starts a program under the `SystemCallFilter=` of a unit, as systemd would: what may be called is what its lists have,
 * without those that begin with "~". Ask `lacks('python3-seccomp')` and `lacks('systemd-analyze')` of tools.ts before.
 */
export function underFilterOf(unit: string): readonly string[] {
  const lines = [...unit.matchAll(/^SystemCallFilter=(.*)$/gm)].map(([, line = '']) => line);
  if (lines.length === 0) throw new Error('the unit has no SystemCallFilter=');
  const sets = setsOfSystemd();
  const allowed = new Set<string>();
  for (const line of lines) {
    const isTaken = line.startsWith('~');
    for (const word of line.replace(/^~/, '').split(/\s+/))
      for (const name of namesIn(word, sets))
        if (isTaken) allowed.delete(name);
        else allowed.add(name);
  }
  // As text: whoever it is started as need not be able to read this checkout. Debian's own Python has the module.
  const program = readFileSync(join(import.meta.dirname, 'seccomp.py'), 'utf8');
  return ['/usr/bin/python3', '-c', program, [...allowed].join(',')];
}

/** The members of each set, by its name: calls, and other sets. */
function setsOfSystemd(): ReadonlyMap<string, readonly string[]> {
  const text = execFileSync('systemd-analyze', ['--no-pager', 'syscall-filter'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of text.split('\n')) {
    const word = line.trim();
    if (line.startsWith('@')) sets.set(word, (members = []));
    else if (word !== '' && !word.startsWith('#')) members.push(word);
  }
  return sets;
}

function namesIn(word: string, sets: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (!word.startsWith('@')) return [word];
  const members = sets.get(word);
  if (members === undefined) throw new Error(`systemd has no set ${word}`);
  return members.flatMap((member) => namesIn(member, sets));
}
