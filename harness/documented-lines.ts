import { readdirSync, readFileSync } from 'node:fs';

const PROJECT = new URL('../', import.meta.url);

export const read = (path: string): string => readFileSync(new URL(path, PROJECT), 'utf8');

export const below = (folder: string, ending: string): string[] =>
  readdirSync(new URL(folder, PROJECT))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);

/** README and what stands in docs. */
export const DOCUMENTS = ['README.md', ...below('docs', '.md')];

/** The lines of a document's blocks for a shell, those that go on joined. */
export function shellLines(path: string): string[] {
  let language: string | undefined;
  return read(path)
    .split('\n')
    .filter((line) => {
      const fence = /^\s*```(\w*)/.exec(line)?.[1];
      if (fence !== undefined) language = language === undefined ? fence : undefined;
      return fence === undefined && language === 'sh';
    })
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
}

/** Each line that runs isync, as it is printed, without the comment behind it. */
export function isyncLines(path: string): string[] {
  return shellLines(path)
    .map((line) => (line.split(/\s+# /)[0] ?? '').trim())
    .filter((line) => /(?:^|\| |&& |; |=\S+ )isync /.test(line));
}
