import { globSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defineConfig } from 'oxlint';
import { FLOORS, floorRules, foldersTooDeep, foldersWithoutFloor } from './floors.ts';

const src = join(import.meta.dirname, 'src');
const homeless = foldersWithoutFloor(FLOORS, readdirSync(src));
if (homeless.length > 0) throw new Error(`src/${homeless.join(', src/')}: name it in floors.ts`);
const deep = foldersTooDeep(globSync('**/*.ts', { cwd: src }).map((path) => dirname(path)));
if (deep.length > 0) throw new Error(`src/${deep.join(', src/')}: deeper than the rules of floors.ts reach`);

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'import', 'node', 'promise', 'vitest'],
  options: {
    typeAware: true,
    denyWarnings: true,
  },
  categories: {
    correctness: 'error',
    suspicious: 'error',
  },
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-unsafe-type-assertion': 'error',
    'import/no-cycle': 'error',
    'no-empty': [
      'error',
      {
        allowEmptyCatch: false,
      },
    ],
    'max-lines': [
      'error',
      {
        max: 400,
      },
    ],
    eqeqeq: 'error',
    'no-await-in-loop': 'off',
    'no-shadow': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'promise/always-return': 'off',
    'consistent-return': 'off',
    'typescript/consistent-return': 'off',
  },
  overrides: [
    ...floorRules(FLOORS),
    {
      files: ['harness/**', 'test/**', 'bench/**', 'demo/**'],
      rules: {
        'typescript/no-non-null-assertion': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
        'unicorn/consistent-function-scoping': 'off',
        'vitest/require-mock-type-parameters': 'off',
      },
    },
  ],
  ignorePatterns: ['dist', 'node_modules', 'coverage'],
});
