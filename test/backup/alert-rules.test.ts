import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { lacks } from '../../harness/tools.ts';
import { metricsOf } from '../../src/backup/status/metrics.ts';

const FOLDER = join(import.meta.dirname, '../../docs/ops');
const run = promisify(execFile);

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: Readonly<Record<string, string>>;
    }[];
  }[];
}

interface Routes {
  readonly route: Route;
  readonly inhibit_rules: readonly {
    readonly source_matchers: string[];
    readonly target_matchers: string[];
  }[];
  readonly receivers: readonly ({ readonly name: string } & Readonly<Record<string, unknown>>)[];
}

interface Route {
  readonly receiver: string;
  readonly matchers?: readonly string[];
  readonly routes?: readonly Route[];
}

const read = async (file: string): Promise<string> => await readFile(join(FOLDER, file), 'utf8');
const rules = (parse(await read('backup.rules.yaml')) as Rules).groups.flatMap(({ rules }) => rules);
const routes = parse(await read('alertmanager.yaml')) as Routes;
const metrics = metricsOf({ nowMs: 0, jobs: [], stores: [] });

/** Of `name = "value"` and `name =~ "value"`, as Alertmanager takes them: a pattern matches the whole value. */
function matches(matcher: string, labels: Readonly<Record<string, string>>): boolean {
  const [, name = '', operator, value = ''] = /^(\w+) (=~?) "(.*)"$/.exec(matcher) ?? [];
  const is = labels[name] ?? '';
  if (operator === undefined) throw new Error(`what is ${matcher}?`);
  return operator === '=' ? is === value : new RegExp(`^(?:${value})$`).test(is);
}

function receiverOf(route: Route, labels: Readonly<Record<string, string>>): string {
  const below = route.routes?.find(({ matchers = [] }) => matchers.every((one) => matches(one, labels)));
  return below === undefined ? route.receiver : receiverOf(below, labels);
}

describe('the alert rules', () => {
  const isLeftOut = lacks('promtool');

  it.skipIf(isLeftOut)(
    'are right, and tell what they should when they should',
    async () => {
      const checked = await run('promtool', ['check', 'rules', 'backup.rules.yaml'], { cwd: FOLDER });
      expect(checked.stdout).toContain(`${rules.length} rules found`);
      const tested = await run('promtool', ['test', 'rules', 'backup.rules.test.yaml'], { cwd: FOLDER });
      expect(tested.stdout).toContain('SUCCESS');
    },
    120_000,
  );

  it('ask for metrics that there are, and are all tested', async () => {
    const names = new Set(metrics.map(({ name }) => name));
    for (const { alert, expr } of rules)
      for (const [name] of expr.matchAll(/isync_backup_\w+/g))
        expect(name === 'isync_backup' || names.has(name), `${alert}: ${name}`).toBe(true);
    const tests = await read('backup.rules.test.yaml');
    for (const { alert } of rules) expect(tests).toMatch(new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:`));
    for (const [name] of tests.matchAll(/isync_backup_\w+/g)) expect(names).toContain(name);
  });

  it('reach somebody, and what pages both of WeCom and DingTalk', () => {
    const receivers = new Map(routes.receivers.map((one) => [one.name, one]));
    for (const { alert, labels } of rules) {
      const told = receivers.get(receiverOf(routes.route, { ...labels, alertname: alert }));
      const ways = Object.keys(told ?? {}).filter((key) => key !== 'name');
      const both = ['webhook_configs', 'wechat_configs'];
      const wanted = labels['severity'] === 'page' ? both : ['wechat_configs'];
      expect({ alert, ways: new Set(ways) }).toEqual({ alert, ways: new Set(wanted) });
    }
  });

  it('keep one another back by names that there are', () => {
    for (const { source_matchers, target_matchers } of routes.inhibit_rules)
      for (const matchers of [source_matchers, target_matchers])
        expect(
          rules.filter(({ alert }) => matchers.every((one) => matches(one, { alertname: alert }))),
        ).not.toEqual([]);
  });
});
