import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { MAN_FOLDER, manPages } from '../../man/pages.ts';
import { COMMANDS, commandsOf } from '../../src/cli/commands/list.ts';

const pages = manPages();

/** A page as a terminal shows it; troff must have nothing to complain about. */
function shown(text: string): string {
  // Without colours and overstrikes.
  const args = ['-man', '-ww', '-k', '-Tutf8', '-P-c', '-P-b', '-P-o', '-P-u', '-rLL=200n'];
  const { stdout, stderr } = spawnSync('groff', args, { input: text, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

describe('the man pages', () => {
  it('are those that the package names', () => {
    const { man } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      man: string[];
    };
    expect(man).toEqual([...pages.keys()].toSorted().map((name) => `./${MAN_FOLDER}/${name}`));
  });

  it('are plain ASCII, with no request that groff_man(7) has not', () => {
    const known = /^(?:\.(?:TH|SH|SS|PP|TP|RS|RE|nf|fi|br)(?: .*)?|(?!\.|').*)$/;
    for (const line of [...pages.values()].flatMap((text) => text.split('\n'))) {
      expect(line).toMatch(/^[\x20-\x7e]*$/);
      expect(line).toMatch(known);
    }
  });

  it.skipIf(lacks('groff')).each(COMMANDS.map((entry) => [entry.name, entry] as const))(
    'show %s with every option and default, and troff has nothing to complain about',
    (name, entry) => {
      const text = shown(pages.get(`isync-${name}.1`) ?? '');
      const words = text.replaceAll(/\s+/g, ' ');
      expect(words).toContain(`isync-${name} - ${entry.summary}`);
      for (const { summary, options, examples } of commandsOf(entry)) {
        expect(words).toContain(`${summary}.`);
        for (const [option, { defaultDescription: usual }] of Object.entries(options)) {
          expect(words).toContain(` --${option}`);
          expect(words).toContain(usual === undefined ? '' : `Default: ${usual}.`.replaceAll(/\s+/g, ' '));
        }
        for (const [line] of examples) expect(words).toContain(line.replaceAll('$0', 'isync'));
      }
    },
  );

  it.skipIf(lacks('groff'))('begin with one of isync, which names all others', () => {
    const text = shown(pages.get('isync.1') ?? '');
    for (const { name } of COMMANDS) expect(text).toContain(`isync-${name}(1)`);
  });
});
