import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { startCli } from '../../../harness/cli.ts';
import { temporaryFolder } from '../../../harness/data-tree.ts';
import type { CliProcess } from '../../../harness/process.ts';
import type { StatusReport } from '../../../src/observe/status/report.ts';

const STATUS = ['--status', '127.0.0.1:0'];

describe.concurrent('--status', () => {
  it('shows a receiver, with the page and all that it is made of', async ({ expect }) => {
    await using folder = await temporaryFolder('status');
    await using receive = startCli(['receive', folder.path, '--listen', '127.0.0.1:0', '--json', ...STATUS]);
    const url = await statusOf(receive);
    expect(await reportOf(url)).toMatchObject({ command: 'receive', subject: folder.path, activity: 'idle' });
    expect(await (await fetch(url)).text()).toContain('<title>isync</title>');
    for (const file of ['page.css', 'page.js', 'table.js'])
      expect((await fetch(`${url}/${file}`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('# TYPE isync_alarms gauge');
  });

  it('shows a scan', async ({ expect }) => {
    await using folder = await temporaryFolder('status');
    const [root, store] = [join(folder.path, 'root'), join(folder.path, 'store')];
    await mkdir(join(root, 'DC1'), { recursive: true });
    await mkdir(store);
    await writeFile(join(root, 'DC1', 'file'), 'content');
    await using scan = startCli(['scan', root, '--to', store, '--device', 'edge1', ...STATUS]);
    const url = await scan.until('the page', () => /http:\/\/127\.0\.0\.1:\d+/.exec(scan.stderr)?.[0]);
    expect(await reportOf(url)).toMatchObject({ command: 'scan', subject: `${root} → ${store} (edge1)` });
    await expect
      .poll(async () => JSON.stringify(await reportOf(url)))
      .toMatch(/"id":"files"[^}]*"value":1\b/);
  });
});

async function reportOf(url: string): Promise<StatusReport> {
  return (await (await fetch(`${url}/status.json`)).json()) as StatusReport;
}

/** Where a command that tells of itself as JSON serves its status. */
async function statusOf(command: CliProcess): Promise<string> {
  return await command.until('its status', () => /"status":"([^"]+)"/.exec(command.stdout)?.[1]);
}
