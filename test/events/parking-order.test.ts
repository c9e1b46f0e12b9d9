import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lacks, mayNot } from '../../harness/tools.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { available } from '../faults/machine.ts';
import { descriptorOf, parseStrace, stringsOf, type Call } from '../faults/strace-log.ts';

const RECORDS = 100;

/** The system calls of a process that parks {@link RECORDS} records at once and then says so. */
function callsOfParking(folder: string): Call[] {
  const source = `
    import { openParking } from ${JSON.stringify(join(import.meta.dirname, '../../src/events/parking/open-parking.ts'))};
    const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
    const parking = await openParking(${JSON.stringify(join(folder, 'parked'))}, { log });
    await Promise.all(Array.from({ length: ${RECORDS} }, async (_, at) => {
      await parking.park({ messageId: 'm' + at, code: 'BAD_PATH', reason: 'r', bucket: 'b', key: 'k' + at, body: 'x' });
      process.stdout.write('parked k' + at + '.');
    }));`;
  const output = join(folder, 'strace');
  const trace = ['-f', '-yy', '-xx', '-s', '4096', '-e', 'trace=fsync,fdatasync,rename,write', '-o', output];
  const command = [process.execPath, '--input-type=module', '-e', source];
  const { status, stderr } = spawnSync('strace', [...trace, ...command], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return parseStrace(readFileSync(output, 'latin1'));
}

const untraced = lacks('strace') || mayNot('trace a process', available('strace')?.why);

describe.skipIf(untraced)('a parked record', () => {
  it('is on the disk before it has its name, and the name is before anybody is told; syncs of the folder are shared', () => {
    const folder = temporaryFolder();
    const calls = callsOfParking(folder);
    const parked = join(folder, 'parked');
    // Node names files of its own, too: what it has compiled.
    const renames = calls.filter(
      (call) => call.name === 'rename' && String(stringsOf(call)[1]).startsWith(`${parked}/`),
    );
    const syncs = calls.filter(({ name, result }) => name === 'fdatasync' && result === 0);
    const folderSyncs = calls.filter((call) => call.name === 'fsync' && descriptorOf(call).path === parked);
    expect(renames).toHaveLength(RECORDS);
    for (const rename of renames) {
      const [draft = '', path = ''] = stringsOf(rename).map(String);
      const synced = syncs.find((call) => descriptorOf(call).path === draft);
      expect(synced?.end).toBeLessThan(rename.begin);
      const { key } = JSON.parse(readFileSync(path, 'utf8')) as { key: string };
      const told = calls.find(
        (call) => call.name === 'write' && stringsOf(call).some((text) => text.includes(`parked ${key}.`)),
      );
      const between = folderSyncs.filter(({ begin, end }) => begin > rename.end && end < (told?.begin ?? 0));
      expect([key, between.length > 0]).toEqual([key, true]);
    }
    expect(folderSyncs.length).toBeLessThan(RECORDS / 2);
  });
});
