import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isync, startIsync } from './isync-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('scan sends to a store by its name, and receive keeps files in one', async () => {
  const [root, disk] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1/a.bin'), 'aaaa');
  const config = join(disk, 'isync.yaml');
  writeFileSync(
    config,
    `stores:\n  disk: { url: ${disk} }\nscan:\n  to: store:disk\n  device: edge1\n  once: yes\n`,
  );
  expect(await isync(['scan', root, '--config', config])).toMatchObject({ code: 0 });
  expect(existsSync(join(disk, 'edge1/DC1/a.bin'))).toBe(true);

  const receiver = startIsync(['receive', 'store:disk', '--config', config, '--listen', '127.0.0.1:0']);
  await expect.poll(() => receiver.stdout(), { timeout: 30_000 }).toContain(`(store ${disk})`);
  receiver.child.kill();
  expect(await receiver.ended).toMatchObject({ code: 0 });
});
