import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToken, CLI_MAIN, CLI_NODE, runCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startNode } from '../../harness/process.ts';
import { startReceiver } from '../../harness/cli.ts';
import { writeTree } from '../../harness/data-tree.ts';
import type { StatusReport } from '../../src/observe/status/report.ts';

test('scans of one process: one that is refused leaves the others running, begins anew, and is seen everywhere', async () => {
  await using place = await temporaryFolder('scans');
  const folder = place.path;
  const in_ = (path: string): string => join(folder, path);
  await writeTree(folder, {
    'a/DC1/x.raw': 10,
    'a/DC1/x': 10,
    'b/DC1/y': 10,
    'b/DC1/finished.parse': '',
    'c/DC1/z': 10,
    'kept/here': '',
    'store/here': '',
  });
  const tokens = in_('tokens.json');
  await writeFile(in_('a.token'), await addToken('edge-a', tokens), { mode: 0o600 });
  const right = await addToken('edge-b', tokens);
  await writeFile(in_('b.token'), await addToken('edge-b', in_('other.json')), { mode: 0o600 });
  await using receiver = await startReceiver(in_('store'), { args: ['--tokens', tokens] });
  const settings = async (ofA: object, ofAll: object = {}): Promise<void> => {
    const scan = { to: receiver.url, status: '127.0.0.1:0', ...ofAll };
    const scans = [
      { root: in_('a'), device: 'edge-a', 'token-file': in_('a.token'), ...ofA },
      { root: in_('b'), device: 'edge-b', 'token-file': in_('b.token') },
      { root: in_('c'), device: 'edge-c', to: in_('kept') },
    ];
    await writeFile(in_('isync.yaml'), JSON.stringify({ scan, scans }));
  };
  await settings({ ignore: ['*.raw'] });
  // Without a terminal, as a service manager starts it: SIGHUP is for a reload then.
  await using daemon = startNode([CLI_NODE, CLI_MAIN, 'scan', '--json', '--config', in_('isync.yaml')], {
    node: 'setsid',
    env: { XDG_RUNTIME_DIR: folder },
  });
  const url = await daemon.until('the page', () => /http:\/\/127\.0\.0\.1:\d+/.exec(daemon.stderr)?.[0]);
  const ask = async (path: string): Promise<string> => await (await fetch(`${url}${path}`)).text();
  const report = async (): Promise<StatusReport> => JSON.parse(await ask('/status.json')) as StatusReport;

  await daemon.until('what the others have', () =>
    ['store/edge-a/DC1/x', 'kept/edge-c/DC1/z'].every((path) => existsSync(in_(path))),
  );
  await daemon.until('the refusal', () => daemon.stderr.includes('it begins anew, and the others go on'));
  const alarm = await daemon.until('the alarm', async () =>
    (await report()).alarms.find(({ code }) => code === 'AUTH_REFUSED'),
  );
  expect(alarm.subject).toBe(in_('b'));
  const { cards, subject } = await report();
  expect(subject).toBe(['a', 'b', 'c'].map(in_).join(', '));
  expect(cards[0]).toMatchObject({
    id: 'scans',
    table: { rows: ['a', 'b', 'c'].map((root) => ({ key: in_(root) })) },
  });
  expect(cards.map(({ id }) => id)).toContain('directories_3');
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(`${in_('b')}: `)]);
  const metrics = await ask('/metrics');
  expect(metrics).toContain(`isync_scan_link_up{root="${in_('a')}"} 1`);
  expect(metrics).toContain(`isync_scan_link_up{root="${in_('b')}"} 0`);
  expect(metrics).toContain(`isync_scan_files_total{root="${in_('c')}"} 1`);
  const told = await runCli(['status', '--json'], { env: { XDG_RUNTIME_DIR: folder } });
  const { reports } = JSON.parse(told.stdout) as { reports: readonly StatusReport[] };
  expect(reports.filter((each) => each.subject === subject)).toHaveLength(1);
  daemon.signal('SIGUSR1');
  await daemon.until('the status in the log', () => /"scans_count":3,.*"msg":"status"/.test(daemon.stderr));

  await settings({ ignore: [], quiet: '1h' }, { bwlimit: '10MiB' });
  daemon.signal('SIGHUP');
  await daemon.until('what was ignored', () => existsSync(in_('store/edge-a/DC1/x.raw')));
  const line = (text: string): unknown =>
    JSON.parse(daemon.stderr.split('\n').find((each) => each.includes(text)) ?? 'null');
  const named = (name: string): string[] => ['a', 'b', 'c'].map((root) => `${in_(root)}: ${name}`);
  expect(line('settings were read again')).toMatchObject({
    changed: expect.arrayContaining([`${in_('a')}: ignore`, ...named('bwlimit')]) as unknown,
  });
  expect(line('need a restart')).toMatchObject({ settings: [`${in_('a')}: quiet`] });

  await writeFile(in_('b.token'), right);
  await daemon.until('the seal of what was refused', () => existsSync(in_('b/DC1/finished.watch')));
  await daemon.until('the end of the alarm', async () => (await report()).alarmCount === 0);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);

  const { exitCode, stdout } = await daemon.stop('SIGTERM');
  expect(exitCode).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({
    scans: [
      { root: in_('a'), files: 2 },
      { root: in_('b'), files: 1, directories: [{ sealed: true }] },
      { root: in_('c'), files: 1, exitCode: 130 },
    ],
    files: 4,
    exitCode: 130,
  });
});
