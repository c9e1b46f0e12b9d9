import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToken, CLI_MAIN, CLI_NODE, runCli, startReceiver } from '../../harness/cli.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { startNode } from '../../harness/process.ts';
import type { StatusReport } from '../../src/observe/status/report.ts';

test('scans of one process: one that is refused leaves the others running, begins anew, and is seen everywhere', async () => {
  await using place = await temporaryFolder('scans');
  const folder = place.path;
  const at = (path: string): string => join(folder, path);
  await writeTree(folder, {
    'a/DC1/x.raw': 10,
    'a/DC1/x': 10,
    'b/DC1/y': 10,
    'b/DC1/finished.parse': '',
    'c/DC1/z': 10,
    'kept/here': '',
    'store/here': '',
  });
  const tokens = at('tokens.json');
  await writeFile(at('a.token'), await addToken('edge-a', tokens), { mode: 0o600 });
  const right = await addToken('edge-b', tokens);
  await writeFile(at('b.token'), await addToken('edge-b', at('other.json')), { mode: 0o600 });
  await using receiver = await startReceiver(at('store'), { args: ['--tokens', tokens] });
  const settings = async (ofA: object, ofAll: object = {}): Promise<void> => {
    const scan = { to: receiver.url, status: '127.0.0.1:0', ...ofAll };
    const scans = [
      { root: at('a'), device: 'edge-a', 'token-file': at('a.token'), ...ofA },
      { root: at('b'), device: 'edge-b', 'token-file': at('b.token') },
      { root: at('c'), device: 'edge-c', to: at('kept') },
    ];
    await writeFile(at('isync.yaml'), JSON.stringify({ scan, scans }));
  };
  await settings({ ignore: ['*.raw'] });
  // Without a terminal, as a service manager starts it: SIGHUP is for a reload then.
  await using daemon = startNode([CLI_NODE, CLI_MAIN, 'scan', '--json', '--config', at('isync.yaml')], {
    node: 'setsid',
    env: { XDG_RUNTIME_DIR: folder },
  });
  const url = await daemon.until('the page', () => /http:\/\/127\.0\.0\.1:\d+/.exec(daemon.stderr)?.[0]);
  const ask = async (path: string): Promise<string> => await (await fetch(`${url}${path}`)).text();
  const report = async (): Promise<StatusReport> => JSON.parse(await ask('/status.json')) as StatusReport;

  await daemon.until('what the others have', () =>
    ['store/edge-a/DC1/x', 'kept/edge-c/DC1/z'].every((path) => existsSync(at(path))),
  );
  await daemon.until('the refusal', () => daemon.stderr.includes('it begins anew, and the others go on'));
  const alarm = await daemon.until('the alarm', async () =>
    (await report()).alarms.find(({ code }) => code === 'AUTH_REFUSED'),
  );
  expect(alarm.subject).toBe(at('b'));
  const { cards, subject } = await report();
  expect(subject).toBe(['a', 'b', 'c'].map(at).join(', '));
  expect(cards[0]).toMatchObject({
    id: 'scans',
    table: { rows: ['a', 'b', 'c'].map((root) => ({ key: at(root) })) },
  });
  expect(cards.map(({ id }) => id)).toContain('directories_3');
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(`${at('b')}: `)]);
  // A file is counted when it has its mark, which is a moment after it is there.
  const metrics = await daemon.until('the count of what the third has sent', async () => {
    const text = await ask('/metrics');
    return text.includes(`isync_scan_files_total{root="${at('c')}"} 1`) ? text : undefined;
  });
  expect(metrics).toContain(`isync_scan_link_up{root="${at('a')}"} 1`);
  expect(metrics).toContain(`isync_scan_link_up{root="${at('b')}"} 0`);
  const told = await runCli(['status', '--json'], { env: { XDG_RUNTIME_DIR: folder } });
  const { reports } = JSON.parse(told.stdout) as { reports: readonly StatusReport[] };
  expect(reports.filter((each) => each.subject === subject)).toHaveLength(1);
  daemon.signal('SIGUSR1');
  await daemon.until('the status in the log', () => /"scans_count":3,.*"msg":"status"/.test(daemon.stderr));

  await settings({ ignore: [], quiet: '1h' }, { bwlimit: '10MiB' });
  daemon.signal('SIGHUP');
  await daemon.until('what was ignored', () => existsSync(at('store/edge-a/DC1/x.raw')));
  await daemon.until('the reload in the log', () => daemon.stderr.includes('need a restart'));
  const line = (text: string): unknown =>
    JSON.parse(daemon.stderr.split('\n').find((each) => each.includes(text)) ?? 'null');
  const named = (name: string): string[] => ['a', 'b', 'c'].map((root) => `${at(root)}: ${name}`);
  expect(line('settings were read again')).toMatchObject({
    changed: expect.arrayContaining([`${at('a')}: ignore`, ...named('bwlimit')]) as unknown,
  });
  expect(line('need a restart')).toMatchObject({ settings: [`${at('a')}: quiet`] });

  await writeFile(at('b.token'), right);
  await daemon.until('the seal of what was refused', () => existsSync(at('b/DC1/finished.watch')));
  await daemon.until('the end of the alarm', async () => (await report()).alarmCount === 0);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);

  const { exitCode, stdout } = await daemon.stop('SIGTERM');
  expect(exitCode).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({
    scans: [
      { root: at('a'), files: 2 },
      { root: at('b'), files: 1, directories: [{ sealed: true }] },
      { root: at('c'), files: 1, exitCode: 130 },
    ],
    files: 4,
    exitCode: 130,
  });
});
