import { readFile } from 'node:fs/promises';
import { runCli } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Alarm, StatusReport } from '../../src/observe/status/report.ts';

/** Within this time each alarm must be told, in ms. */
export const PROMISED_MS = 60_000;

/** Where something that has a status page tells how it is. */
export class StatusOf {
  readonly url: string;
  readonly #process: CliProcess;

  constructor(url: string, process: CliProcess) {
    this.url = url;
    this.#process = process;
  }

  async report(): Promise<StatusReport> {
    return (await (await fetch(`${this.url}/status.json`)).json()) as StatusReport;
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.url}/metrics`)).text();
  }

  /** The names of all metrics that are served, in order. */
  async metricNames(): Promise<string[]> {
    const types = (await this.metrics()).matchAll(/^# TYPE (\S+)/gm);
    return inOrder([...types].map(([, name = '']) => name));
  }

  /** Waits until the alarm is told, sees that the metrics and `isync status` tell it as well, and returns it. */
  async alarm(code: string, subject?: string, withinMs = PROMISED_MS): Promise<Alarm> {
    const alarm = await this.#process.until(
      `the alarm ${code}`,
      async () => {
        const { alarms } = await this.report();
        return alarms.find((one) => one.code === code && (subject === undefined || one.subject === subject));
      },
      withinMs,
    );
    const metrics = await this.metrics();
    const line = new RegExp(`^isync_alarms\\{code="${code}",severity="${alarm.severity}"\\} [1-9]`, 'm');
    if (!line.test(metrics)) throw new Error(`not in the metrics: ${code}\n${metrics}`);
    if (alarm.cure.length < 20) throw new Error(`no cure: ${alarm.cure}`);
    const { exitCode, stdout } = await runCli(['status', '--url', this.url, '--json']);
    if (
      exitCode !== 1 ||
      !stdout.includes(`"code":"${code}"`) ||
      !stdout.includes(JSON.stringify(alarm.cure))
    )
      throw new Error(`isync status ends with ${exitCode} and does not tell ${code}:\n${stdout}`);
    return alarm;
  }

  /** Waits until the alarm is over. */
  async over(code: string): Promise<void> {
    await this.#process.until(
      `the end of ${code}`,
      async () => !(await this.report()).alarms.some((one) => one.code === code),
      3 * PROMISED_MS,
    );
  }

  async readiness(): Promise<number> {
    return (await fetch(`${this.url}/readyz`)).status;
  }
}

/** The names of all metrics that a command serves, as docs/ops tells them, in order. */
export async function documentedMetrics(command: string): Promise<string[]> {
  const page = await readFile(new URL('../../docs/ops/README.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| ([a-z, ]+) \| `(isync_\w+)` \|/gm)];
  return inOrder(
    rows
      .filter(([, of = '']) => of === 'all' || of.split(', ').includes(command))
      .map(([, , name = '']) => name),
  );
}

function inOrder(names: readonly string[]): string[] {
  return names.toSorted((a, b) => a.localeCompare(b));
}
