import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import type { CliProcess } from '../../harness/process.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import type { StatusReport } from '../../src/observe/status/report.ts';

const STATUS = ['--status', '127.0.0.1:0'];

/** Alarms are looked for every few seconds. */
describe.concurrent('the status of a command', () => {
  it('shows a webhook, and what its events are stuck on', async ({ expect }) => {
    await using stage = await startWebhookStage();
    await stage.configure({
      script: await stage.script('exit 1'),
      tokenFile: stage.at('token'),
      attempts: 1,
      state: stage.at('state'),
    });
    await writeFile(stage.at('token'), 'a-token-that-nobody-guesses-0123456789', { mode: 0o600 });
    await using webhook = await stage.start(STATUS);
    const report = async () => await reportOf(webhook.statusUrl);
    expect(await report()).toMatchObject({ command: 'webhook', alarms: [] });
    const authorization = 'Bearer a-token-that-nobody-guesses-0123456789';
    const answer = await webhook.post(
      cephRecord({ event: 'ObjectCreated:Put', bucket: 'bucket', key: 'k' }),
      {
        headers: { authorization },
      },
    );
    expect(answer.status).toBe(200);
    await expect
      .poll(async () => (await report()).alarms)
      .toMatchObject([{ code: 'DEAD_LETTERS', severity: 'warning' }]);
    const cards = new Map((await report()).cards.map((card) => [card.id, card.facts]));
    expect(cards.get('requests')).toContainEqual(expect.objectContaining({ id: 'taken', value: 1 }));
    expect(await (await fetch(`${webhook.statusUrl}/metrics`)).text()).toContain(
      'isync_alarms{code="DEAD_LETTERS",severity="warning"} 1',
    );
  });

  it('shows backups, and a store that is unplugged', async ({ expect }) => {
    await using folder = await temporaryFolder('status');
    const at = (name: string) => join(folder.path, name);
    for (const name of ['source', 'store']) await mkdir(at(name));
    await writeFile(join(at('source'), 'file'), 'content');
    const job = {
      name: 'app',
      sources: [at('source')],
      to: [at('store')],
      schedule: '* * * * * *',
      stateDir: at('state'),
    };
    await writeFile(at('backup.yaml'), JSON.stringify({ jobs: [job] }));
    await using daemon = startCli(['backup', 'daemon', '--config', at('backup.yaml'), '--json', ...STATUS]);
    const url = await statusOf(daemon);
    const rows = async () => (await reportOf(url)).cards.find(({ id }) => id === 'jobs')?.table?.rows ?? [];
    await expect.poll(async () => (await rows())[0]?.cells[1]).toBe('done');
    expect((await reportOf(url)).alarms).toEqual([]);
    await rename(at('store'), at('unplugged'));
    await expect
      .poll(async () => (await reportOf(url)).alarms.map(({ code, subject }) => `${code} ${subject}`))
      .toContain('BACKUP_FAILED app');
    expect((await rows())[0]?.alarmed).toBe(true);
    await rename(at('unplugged'), at('store'));
    await expect.poll(async () => (await reportOf(url)).alarmCount).toBe(0);
  });
});

async function reportOf(url: string): Promise<StatusReport> {
  return (await (await fetch(`${url}/status.json`)).json()) as StatusReport;
}

/** Where a command that tells of itself as JSON serves its status. */
async function statusOf(command: CliProcess): Promise<string> {
  return await command.until('its status', () => /"status":"([^"]+)"/.exec(command.stdout)?.[1]);
}
