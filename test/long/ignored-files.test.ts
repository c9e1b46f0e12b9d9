import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

/** Names that the README says are left alone. */
const IN_PROGRESS = ['a.tmp', 'b.part', '.e.swp'];
/** Names that look like it, and are data to be kept. */
const DATA = [
  '.f.AbCdEf',
  'c.partial',
  'd.filepart',
  '4913',
  'g~',
  'h.crdownload',
  'i.swp',
  'j.lock',
  'k.tmp.bin',
];

/** A closed directory with a file of each name. */
function rootWith(names: readonly string[]): string {
  const root = temporaryFolder();
  for (const name of [...names.map((name) => `sub/${name}`), 'finished.parse']) {
    mkdirSync(dirname(join(root, 'DC1', name)), { recursive: true });
    writeFileSync(join(root, 'DC1', name), name);
  }
  return root;
}

interface Outcome {
  readonly kept: readonly string[];
  readonly ignored: number;
  readonly code: number | null;
}

async function scanned(
  root: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome & { store: string }> {
  const store = temporaryFolder();
  const line = ['scan', root, '--to', store, '--device', 'edge1', '--once', '--json', ...args];
  const { code, stdout } = await isync(line, { env });
  const { ignored } = JSON.parse(stdout) as { ignored: number };
  const folder = join(store, 'edge1/DC1/sub');
  const kept = existsSync(folder) ? readdirSync(folder) : [];
  return { kept: kept.toSorted(), ignored, code, store };
}

const sorted = (...names: readonly string[]): readonly string[] => names.toSorted();

describe('files in progress', () => {
  it('are left alone by default, and nothing else is', async () => {
    const { kept, ignored, code } = await scanned(rootWith([...IN_PROGRESS, ...DATA]));
    expect({ kept, ignored, code }).toEqual({ kept: sorted(...DATA), ignored: IN_PROGRESS.length, code: 0 });
  });

  it('are left alone too where --ignore names more', async () => {
    const { kept, ignored } = await scanned(rootWith([...IN_PROGRESS, ...DATA]), ['--ignore', '*.lock']);
    expect(kept).toEqual(sorted(...DATA.filter((name) => name !== 'j.lock')));
    expect(ignored).toBe(IN_PROGRESS.length + 1);
  });

  const file = (): string => {
    const path = join(temporaryFolder(), 'isync.yaml');
    writeFileSync(path, 'scan:\n  default-ignore: false\n');
    return path;
  };
  it.each<[string, () => readonly string[], Readonly<Record<string, string>>]>([
    ['the flag', () => ['--no-default-ignore'], {}],
    ['the environment', () => [], { ISYNC_DEFAULT_IGNORE: '0' }],
    ['the config file', () => ['--config', file()], {}],
  ])('are sent where %s says so', async (_, args, env) => {
    const { kept, ignored } = await scanned(rootWith([...IN_PROGRESS, 'x']), args(), env);
    expect({ kept, ignored }).toEqual({ kept: sorted(...IN_PROGRESS, 'x'), ignored: 0 });
  });

  it('that --ignore alone names are left alone without the defaults', async () => {
    const args = ['--no-default-ignore', '--ignore', '*.part'];
    expect(await scanned(rootWith(IN_PROGRESS), args)).toMatchObject({ ignored: 1 });
  });

  it('are counted in the summary for people', async () => {
    const line = ['scan', rootWith([...IN_PROGRESS, 'x']), '--to', temporaryFolder(), '--once'];
    const { stdout } = await isync([...line, '--device', 'edge1']);
    expect(stdout).toMatch(/^1 file, 5 B sent; 1 of 1 directory sealed; 3 files left alone \(--ignore\)\n$/);
  });

  it('are left alone by verify in the same way', async () => {
    const root = rootWith([...IN_PROGRESS, 'j.lock', 'x']);
    const { store } = await scanned(root, ['--ignore', '*.lock']);
    const line = ['verify', root, '--to', store, '--device', 'edge1'];
    expect(await isync([...line, '--ignore', '*.lock'])).toMatchObject({ code: 0 });
    const { code, stdout } = await isync([...line, '--no-default-ignore']);
    expect(code).toBe(1);
    expect(stdout.split('\n').filter((told) => told.startsWith('missing '))).toHaveLength(
      IN_PROGRESS.length + 1,
    );
  });
});
