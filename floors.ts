import type { OxlintOverride } from 'oxlint';

/**
 * The folders of src, floor by floor. A folder imports only from floors above its own, never from its own floor: so a system
 * can be read, tested and removed without its neighbours.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ['model'],
  ['flow'],
  ['observe', 'http', 'access', 'aws', 'config', 'protocol', 'scanner', 'watcher', 'sqlite', 'exec'],
  ['s3', 'notices'],
  ['store'],
  ['sender', 'receiver', 'fetch', 'events', 'backup', 'mirror'],
  ['cli'],
];

/** A folder of src and those below it, each in the other, at most: no rule is made for what lies deeper. */
const MAX_DEPTH = 3;

/** A lint rule for each folder, and each depth below it, that forbids what is not on a floor above. */
export function floorRules(floors: typeof FLOORS): OxlintOverride[] {
  return floors.flatMap((folders, floor) =>
    folders.flatMap((folder) => {
      const others = floors
        .slice(floor)
        .flat()
        .filter((other) => other !== folder);
      return Array.from({ length: MAX_DEPTH }, (_, depth) => ({
        files: [`src/${folder}/${'*/'.repeat(depth)}*.ts`],
        rules: {
          'no-restricted-imports': [
            'error',
            {
              patterns: [
                {
                  regex: `^(\\./)?${'\\.\\./'.repeat(depth + 1)}(${others.join('|')})/`,
                  message: `src/${folder} imports from floors above its own only: floors.ts`,
                },
              ],
            },
          ],
        },
      }));
    }),
  );
}

/** Those of `folders` that stand on no floor. */
export function foldersWithoutFloor(floors: typeof FLOORS, folders: readonly string[]): string[] {
  const known = new Set(floors.flat());
  return folders.filter((folder) => !known.has(folder));
}

/** Those of `folders`, paths below src, that lie deeper than the rules reach. */
export function foldersTooDeep(folders: readonly string[]): string[] {
  return folders.filter((folder) => folder.split('/').length > MAX_DEPTH);
}
