import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startReceiver, startScan } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Card, StatusReport } from '../../src/observe/status/report.ts';
import { StatusOf } from './status-of.ts';

const STATUS = ['--status', '127.0.0.1:0'];
/** At this rate the large file is on its way for as long as anybody looks. */
const SLOW = ['--bwlimit', '200kB/s'];
const LARGE_BYTES = 100_000_000;

it('both ends show directories, the file on its way, the link, what waits, and problems with their cures', async () => {
  await using folder = await temporaryFolder('ends');
  const at = (name: string) => join(folder.path, name);
  for (const name of ['store', 'root/DC1', 'root/DC2']) await mkdir(at(name), { recursive: true });
  await writeFile(at('root/DC1/large'), Buffer.alloc(LARGE_BYTES));
  await writeFile(at('root/DC1/finished.parse'), '');
  await symlink('nowhere', at('root/DC2/link'));
  await using receiver = await startReceiver(at('store'), { args: [...STATUS, '--quota', '1GiB'] });
  const args = ['--newest', 'name', ...STATUS, ...SLOW];
  await using scan = startScan(at('root'), { to: receiver.url, args });
  const device = await pageOf(scan);
  const server = await pageOf(receiver.process);

  await scan.until('the large file to be on its way', async () => {
    const { rows } = await table(device, 'in_flight');
    return rows.some((row) => row['File'] === 'DC1/large' && row['Bytes'] === LARGE_BYTES);
  });
  const problem = await device.alarm('NOT_REGULAR');
  await scan.until('the link', async () => (await table(device, 'link')).facts['up'] === true);
  const directories = await table(device, 'directories');
  expect(directories.rows).toMatchObject([
    { Directory: 'DC2', State: 'active', Problems: 1 },
    { Directory: 'DC1', State: 'closed', Problems: 0 },
  ]);
  expect(directories.facts).toMatchObject({ sealed: 0, unsealed: 2, active: 'DC2' });
  const { facts: link } = await table(device, 'link');
  expect(link).toMatchObject({ to: `${receiver.url}/`, up: true, peer: expect.stringMatching(/^isync/) });
  expect([problem.text, problem.cure]).toEqual([
    expect.stringContaining('DC2/link'),
    expect.stringContaining('Remove it'),
  ]);

  expect((await server.alarm('NOT_REGULAR', 'edge1')).text).toContain('edge1: ');
  await receiver.process.until('what waits at the device', async () => {
    const [row] = (await table(server, 'devices')).rows;
    return Number(row?.['Bytes that wait']) > 0;
  });
  const devices = await table(server, 'devices');
  expect(devices.rows).toMatchObject([
    {
      Device: 'edge1',
      State: 'connected',
      'Oldest waits since': expect.any(Number),
      Sealed: 0,
      'Not sealed': 2,
      Problems: 1,
      Software: expect.stringMatching(/^isync/),
    },
  ]);
  expect(devices.facts).toMatchObject({ known: 1, connected: 1 });
  const { facts: store } = await table(server, 'store');
  expect(store).toMatchObject({ writable: true, free_bytes: expect.any(Number), quota: 1024 ** 3 });
  expect((await server.report()).version).toMatch(/^\d+\.\d+\.\d+/);
});

async function pageOf(process: CliProcess): Promise<StatusOf> {
  const url = await process.until(
    'the page',
    () => /"(?:status|url)":"(http:[^"]+)"/.exec(process.stdout + process.stderr)?.[1],
  );
  return new StatusOf(url, process);
}

/** A card of a page: its facts by id, its rows by the label of each column. */
async function table(page: StatusOf, id: string) {
  const card = cardOf(await page.report(), id);
  const { columns = [], rows = [] } = card.table ?? {};
  return {
    facts: Object.fromEntries(card.facts.map((fact) => [fact.id, fact.value])),
    rows: rows.map(({ cells }) =>
      Object.fromEntries(columns.map(({ label }, index) => [label, cells[index]])),
    ),
  };
}

function cardOf({ cards }: StatusReport, id: string): Card {
  const card = cards.find((one) => one.id === id);
  if (card === undefined) throw new Error(`there is no card ${id}`);
  return card;
}
