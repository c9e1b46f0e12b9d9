import { globSync, readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { MirrorMetrics } from '../../src/mirror/serve/mirror-metrics.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** What docs/operations.md says of the mirror. */
const SECTION = /^## With a mirror\n(.*?)^## /ms.exec(read('docs/operations.md'))?.[1] ?? '';

/** All that a server, or a function, says from `info` up. */
const LINES = globSync(['src/mirror/**/*.ts', 'src/cli/mirror/serve.ts'], { cwd: ROOT })
  .filter((path) => !path.includes('bulk'))
  .flatMap((path) => [
    ...read(path).matchAll(/log\.(?:info|warn|error)\((?:[^'(]*, )?'([^']{5,})'(?!,? '[a-z])/gi),
  ])
  .map(([, line = '']) => line);

describe('docs/operations.md', () => {
  it('has every metric of a mirror, and no other', async () => {
    const registry = new Registry();
    const kept = new MirrorMetrics(registry, () => undefined);
    expect(kept).toBeDefined();
    const metrics = (await registry.getMetricsAsJSON()).map(({ name }) => name);
    const named = [...SECTION.matchAll(/isync_mirror_\w*\w(?<!_)/g)].map(([name]) => name);
    expect([...new Set(named)].filter((name) => name !== 'isync_mirror').toSorted()).toEqual(
      metrics.toSorted(),
    );
  });

  it('has every line of its log', () => {
    expect(LINES.length).toBeGreaterThan(8);
    expect(LINES.filter((line) => !SECTION.includes(`\`${line}\``))).toEqual([]);
  });
});
