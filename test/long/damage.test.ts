import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isync, startIsync, type IsyncProcess } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const LONG_AGO = 1_700_000_000;

let receiver: IsyncProcess | undefined;
afterEach(async () => {
  receiver?.child.kill('SIGKILL');
  await receiver?.ended;
  receiver = undefined;
});

/** A receiver over the folder `store`. */
async function receive(store: string): Promise<string> {
  const started = startIsync(['receive', store, '--listen', '127.0.0.1:0', '--json']);
  receiver = started;
  await vi.waitFor(() => expect(started.stdout()).toContain('\n'), { timeout: 60_000 });
  return (JSON.parse(started.stdout()) as { url: string }).url;
}

describe.each([
  ['a folder', async (store: string) => store],
  ['a receiver', receive],
])('a file that a power cut has emptied, with %s as the target', (_, open) => {
  it('is told by verify and scan, and sent with --replace-damaged', async () => {
    const [root, store] = [temporaryFolder(), temporaryFolder()];
    const source = join(root, 'DC1/a');
    mkdirSync(join(root, 'DC1'));
    writeFileSync(source, 'content');
    utimesSync(source, LONG_AGO, LONG_AGO);
    writeFileSync(join(root, 'DC1/finished.parse'), '');
    const common = ['--to', await open(store), '--device', 'edge1'];
    const scan = ['scan', root, ...common, '--once', '--json'];
    const verify = ['verify', root, ...common];
    expect(await isync(scan)).toMatchObject({ code: 0 });

    writeFileSync(source, '');
    utimesSync(source, LONG_AGO, LONG_AGO);
    const told = await isync(verify);
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(/^damaged DC1\/a: .* 0 bytes, .* keeps 7 bytes .*--replace-damaged$/m);
    expect(told.stdout).toMatch(/0 different, 0 missing, 0 extra, 1 damaged, 0 problems/);
    expect(JSON.parse((await isync([...verify, '--json'])).stdout)).toMatchObject({
      damaged: 1,
      differences: [{ path: 'DC1/a', code: 'SOURCE_DAMAGED' }],
      exitCode: 1,
    });
    expect((await isync([...verify, '--repair'])).stdout).toContain('0 to be sent again');
    expect(existsSync(join(root, 'DC1/finished.watch'))).toBe(true);

    chmodSync(source, 0o644);
    rmSync(join(root, 'DC1/finished.watch'));
    const refused = await isync(scan);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      problems: [{ path: 'DC1/a', code: 'SOURCE_DAMAGED' }],
    });
    expect(readFileSync(join(store, 'edge1/DC1/a'), 'utf8')).toBe('content');

    const sent = await isync([...scan, '--replace-damaged']);
    expect(sent.code).toBe(0);
    expect(readFileSync(join(store, 'edge1/DC1/a'), 'utf8')).toBe('');
    expect(await isync(verify)).toMatchObject({ code: 0 });
  });
});

it('verify tells that a seal is of another store', async () => {
  const [root, store, copy] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1/a'), 'content');
  writeFileSync(join(root, 'DC1/finished.parse'), '');
  expect(await isync(['scan', root, '--to', store, '--device', 'edge1', '--once'])).toMatchObject({
    code: 0,
  });
  cpSync(join(store, 'edge1'), join(copy, 'edge1'), { recursive: true, preserveTimestamps: true });
  const told = await isync(['verify', root, '--to', await receive(copy), '--device', 'edge1']);
  expect(told.stdout).toMatch(/^different DC1\/finished\.watch: it was written for another store/m);
  expect(told.code).toBe(1);
});
