import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type MetricObject, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { lacks } from '../../../harness/tools.ts';
import { measureBackups } from '../../../src/backup/status/metrics.ts';
import { measureAlarms } from '../../../src/cli/status/alarm-metrics.ts';
import { measureReceive } from '../../../src/cli/status/receive-metrics.ts';
import { measureScan } from '../../../src/cli/status/scan-metrics.ts';
import { measureQueue } from '../../../src/cli/webhook/queue-metrics.ts';
import { WebhookMetrics } from '../../../src/events/http/webhook-metrics.ts';
import { ActionMetrics } from '../../../src/events/work/action-metrics.ts';
import { WorkMetrics } from '../../../src/events/work/work-metrics.ts';
import { MirrorMetrics } from '../../../src/mirror/serve/mirror-metrics.ts';
import { alarmFacts } from '../../../src/observe/status/alarm-table.ts';
import { Alarms } from '../../../src/observe/status/alarms.ts';

const FOLDER = join(import.meta.dirname, '../../../docs/ops');
const run = promisify(execFile);

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string; readonly for?: string }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

const read = async (file: string): Promise<string> => await readFile(join(FOLDER, file), 'utf8');
const rules = (parse(await read('isync.rules.yaml')) as Rules).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(await read('dashboard.json')) as Dashboard;
const metrics = exported();
const names = new Set(metrics.map(({ name }) => name));

/** What isync exports; its values are asked for only when somebody reads them. */
function exported(): readonly (MetricObject & { readonly labelNames?: readonly string[] })[] {
  const registry = new Registry();
  const nothing = {} as never;
  measureAlarms(registry, new Alarms());
  measureScan(registry, nothing);
  measureReceive(registry, nothing);
  measureQueue(registry, nothing);
  measureBackups(registry, () => nothing);
  const counts = { runs: 0, failures: 0 };
  const observers = [
    new WebhookMetrics(registry),
    new WorkMetrics(registry, { parked: () => 0, inHand: () => 0, exec: () => counts }),
    new ActionMetrics(registry),
    new MirrorMetrics(registry, () => undefined),
  ];
  expect(observers).toHaveLength(4);
  return registry.getMetricsAsArray();
}

/** Names of metrics in `expr` that nobody exports; what stands in quotes are values of labels. */
function unknownIn(expr: string): string[] {
  return [...expr.replaceAll(/"[^"]*"/g, '').matchAll(/\bisync_[a-z_]+/g)]
    .map(([name]) => name)
    .filter((name) => !names.has(name) && !names.has(name.replace(/_(bucket|sum|count)$/, '')));
}

describe('what Prometheus and Grafana are given', () => {
  it.skipIf(lacks('promtool'))(
    'has alert rules that are right, and tell what they should when they should',
    async () => {
      const checked = await run('promtool', ['check', 'rules', 'isync.rules.yaml'], { cwd: FOLDER });
      expect(checked.stdout).toContain(`${rules.length} rules found`);
      const tested = await run('promtool', ['test', 'rules', 'isync.rules.test.yaml'], { cwd: FOLDER });
      expect(tested.stdout).toContain('SUCCESS');
    },
    120_000,
  );

  it('asks for metrics that there are, and every alert is tested', async () => {
    const tests = await read('isync.rules.test.yaml');
    for (const { alert, expr } of rules) {
      expect({ alert, unknown: unknownIn(expr) }).toEqual({ alert, unknown: [] });
      expect(tests).toMatch(new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:`));
    }
    const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(asked.length).toBeGreaterThan(20);
    for (const expr of asked) expect({ expr, unknown: unknownIn(expr) }).toEqual({ expr, unknown: [] });
    expect(unknownIn('rate(isync_no_such_total[5m])')).toEqual(['isync_no_such_total']);
  });

  it('has every metric in the table of its page, with labels and help as they are served', async () => {
    const rows = (await read('README.md'))
      .split('\n')
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .filter(([, , metric = '']) => metric.startsWith('`isync_'));
    const told = rows.map(
      ([, , metric = '', labels, help]) => `${metric.replaceAll('`', '')} (${labels}): ${help}`,
    );
    const served = metrics.map(
      ({ name, labelNames = [], help }) => `${name} (${labelNames.join(', ')}): ${help}`,
    );
    expect(told.toSorted((a, b) => a.localeCompare(b))).toEqual(
      served.toSorted((a, b) => a.localeCompare(b)),
    );
  });

  it('has no metric named in another document that there is not', async () => {
    const docs = join(FOLDER, '..');
    const files = (await readdir(docs)).filter((name) => name.endsWith('.md'));
    const texts = await Promise.all(files.map(async (name) => await readFile(join(docs, name), 'utf8')));
    const named = texts.flatMap((text) =>
      [...text.matchAll(/\bisync_[a-z_]*[a-z]\b/g)].map(([name]) => name),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.flatMap(unknownIn)).toEqual([]);
  });

  it('knows the code of every alarm that a rule or a panel names', async () => {
    const files = ['isync.rules.yaml', 'isync.rules.test.yaml', 'backup.rules.yaml', 'dashboard.json'];
    const texts = await Promise.all(files.map(read));
    const named = texts.flatMap((text) => [...text.matchAll(/\bcode=~?\\?"([^"\\]*)/g)]);
    const codes = named.flatMap(([, pattern = '']) => pattern.split('|'));
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.filter((code) => alarmFacts(code) === undefined)).toEqual([]);
  });

  it('has a rule for alarms of each severity, whatever their code, that tells at once', () => {
    for (const severity of ['critical', 'warning']) {
      const all = `sum by (job, instance, code) (isync_alarms{severity="${severity}"}) > 0`;
      const found = rules.filter(({ expr }) => expr === all);
      expect(found.map((rule) => rule.for)).toEqual([undefined]);
    }
  });

  it('shows a name that strangers chose as the value of a label, and nothing else', async () => {
    const registry = new Registry();
    const name = 'x"} 1\nisync_alarms{code="STORE_FULL"} 1\n\\';
    new WebhookMetrics(registry).ignored(name);
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('isync_'));
    const shown = String.raw`x\"} 1\nisync_alarms{code=\"STORE_FULL\"} 1\n\\`;
    expect(lines).toContain(`isync_webhook_ignored_total{name="${shown}"} 1`);
    expect(lines.filter((line) => line.startsWith('isync_alarms'))).toEqual([]);
  });

  it('has a row of the dashboard for every command that runs long', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual(expect.arrayContaining(['scan', 'receive', 'pull', 'webhook', 'backup', 'mirror']));
  });
});
