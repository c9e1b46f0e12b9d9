import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openParking } from '../../src/events/parking/open-parking.ts';
import type { Parking } from '../../src/events/parking/parking.ts';
import { RecordingLog } from '../recording-log.ts';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let file: string;
let parking: Parking;
beforeEach(async () => {
  const folder = temporaryFolder();
  file = join(folder, 'pull.yaml');
  writeFileSync(file, '{ "queue": "q", "sync": [ "a/": "a" ], "state": "state" }');
  parking = await openParking(join(folder, 'state', 'parked'), { log: new RecordingLog() });
});

/** Makes the folder of the state and parks a record for each key. */
async function park(...keys: string[]): Promise<readonly string[]> {
  mkdirSync(join(file, '../state'), { recursive: true });
  for (const key of keys)
    await parking.park({
      messageId: 'm1',
      code: 'BAD_PATH',
      reason: 'the path has a ".." segment',
      hint: 'Rename it.',
      bucket: 'bucket',
      key,
      body: `{"Records":[{"key":"${key}"}]}`,
    });
  return await parking.ids();
}

const parked = (...args: string[]) => isync(['pull', 'parked', ...args, '--config', file]);
const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('isync pull parked', () => {
  it('list tells nothing where nothing is parked, and makes nothing', async () => {
    expect(await parked('list')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(linesOf((await parked('list', '--json')).stdout)).toEqual([{ records: 0, exitCode: 0 }]);
    expect(readdirSync(join(file, '..'))).toEqual(['pull.yaml']);
  });

  it('list tells each record with why, in one line that a terminal is safe with', async () => {
    const [id] = await park('a/\u001b[2J..');
    const { code, stdout } = await parked('list');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^${id}  \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z  BAD_PATH +bucket/a/\\\\x1b\\[2J\\.\\.: the path has a "\\.\\." segment\n$`,
      ),
    );
    const [object, summary] = linesOf((await parked('list', '--json')).stdout);
    expect(object).toMatchObject({
      id,
      bucket: 'bucket',
      key: 'a/\u001b[2J..',
      code: 'BAD_PATH',
      messageId: 'm1',
    });
    expect(object).not.toHaveProperty('body');
    expect(summary).toEqual({ records: 1, exitCode: 0 });
  });

  it('show has the message too', async () => {
    const [id = ''] = await park('k');
    expect((await parked('show', id)).stdout).toContain('{"Records":[{"key":"k"}]}');
    expect(linesOf((await parked('show', id, '--json')).stdout)).toMatchObject([
      { id, hint: 'Rename it.', body: '{"Records":[{"key":"k"}]}', exitCode: 0 },
    ]);
  });

  it('replay asks for records, which stay parked', async () => {
    const ids = await park('a', 'b', 'c');
    const { code, stdout } = await parked('replay', ids[0]!, ids[2]!);
    expect([code, stdout]).toEqual([
      0,
      '2 records to be taken again, by the process that runs or the next one\n',
    ]);
    expect(new Set((await parking.replays()).map(({ id }) => id))).toEqual(new Set([ids[0], ids[2]]));
    expect(await parking.ids()).toEqual(ids);
    expect((await parked('replay', 'all', '--json')).stdout).toBe('{"records":3,"exitCode":0}\n');
    expect((await parking.replays()).map(({ id }) => id)).toEqual([ids[1]]);
  });

  it('drop forgets records, and all of them', async () => {
    const ids = await park('a', 'b', 'c');
    expect((await parked('drop', ids[1]!)).stdout).toBe('1 record dropped\n');
    expect(await parking.ids()).toEqual([ids[0], ids[2]]);
    expect((await parked('drop', 'all')).stdout).toBe('2 records dropped\n');
    expect(await parking.ids()).toEqual([]);
    expect((await parked('drop', 'all')).stdout).toBe('0 records dropped\n');
  });

  it('changes nothing where one of the ids is wrong', async () => {
    const ids = await park('a');
    for (const wrong of ['0123456789abcdef', '../../x']) {
      const { code, stderr } = await parked('drop', ids[0]!, wrong);
      expect(code).toBe(2);
      expect(stderr).toContain(`${JSON.stringify(wrong)} is no parked record [USAGE]`);
    }
    expect((await parked('drop', 'all', ids[0]!)).code).toBe(2);
    expect((await parked('show', '0123456789abcdef')).code).toBe(2);
    expect(await parking.ids()).toEqual(ids);
  });

  it('tells what is wrong with the config', async () => {
    writeFileSync(file, 'queue: q\nsnyc: { a/: a }\n');
    const { code, stderr } = await parked('list');
    expect(code).toBe(2);
    expect(stderr).toContain('snyc: is no setting of "pull"; did you mean "sync"?');
    expect(stderr).toContain('line 2)');
  });
});
