import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { startMirrorBulkStage } from '../../harness/mirror-bulk-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';

await withS3Server((server) => {
  it('is filled from a list, proved whole, and found to need its origin no more', async () => {
    await using stage = await startMirrorBulkStage(server);
    const { web, at, run } = stage;
    await stage.configure({ rules: [{ origins: [`${web.url}/`], allowPrivate: true }] });
    const names = Array.from({ length: 300 }, (_, index) => `d${index % 7}/file ${index}`);
    for (const name of names) web.files.set(`/${name}`, { body: `content of ${name}` });
    await writeFile(at('list'), names.join('\n'));
    const before = await run('verify', '--list', at('list'), '--failed', at('missing'));
    expect(before).toMatchObject({ exitCode: 1, summary: { keys: 300, missing: 300 } });
    expect(await run('fill', '--list', at('missing'))).toMatchObject({
      exitCode: 0,
      summary: { filled: 300, failed: 0 },
    });
    expect(await run('verify', '--list', at('list'))).toMatchObject({
      exitCode: 0,
      summary: { keys: 300, missing: 0, different: 0, failed: 0 },
    });
    expect(await stage.textOf(names[0]!)).toBe(`content of ${names[0]}`);
    expect(await run('report')).toMatchObject({
      exitCode: 0,
      summary: { isEmpty: true, bucket: { byFill: 300 } },
    });
  });
});
