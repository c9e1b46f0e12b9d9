import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { stateProcess } from '../events/state-of-process.ts';

it('a pull state lists more objects than there is memory for', async () => {
  const count = 200_000;
  const other = stateProcess(
    join(temporaryFolder(), 'state', 'state.db'),
    `for (let from = 0; from < ${count}; from += 500)
         await Promise.all(Array.from({ length: 500 }, (_, at) => state.set(object('key/' + (from + at)))));
       let seen = 0;
       for (const { key } of state.list('b', 'key/')) seen += key.length > 0 ? 1 : 0;
       console.log(seen, state.count('b', 'key/'));`,
    // In MB; together they would need some 80.
    ['--max-old-space-size=40'],
  );
  const { stdout, stderr } = await other.ended;
  expect([stdout, stderr]).toEqual([`${count} ${count}\n`, '']);
});
