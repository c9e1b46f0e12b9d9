import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';

const LINES = 20_000;

/** Writes lines to its stderr, which Node has made non-blocking, then ends at once. */
const PROGRAM = `
  import { writeStderr } from ${JSON.stringify(new URL('../../src/observe/write-stderr.ts', import.meta.url).href)};
  void process.stderr.isTTY;
  for (let line = 0; line < ${LINES}; line++) writeStderr('a line of the log, the ' + line + 'th\\n');
  process.exit(7);
`;

function run(stderr: 'pipe' | number) {
  const args = ['--input-type=module', '--eval', PROGRAM];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', stderr] });
}

it('waits for a reader that is behind, so that no line is lost at exit', async () => {
  const child = run('pipe');
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (some: string) => (text += some));
  expect(await once(child, 'close')).toEqual([7, null]);
  const lines = text.split('\n');
  expect(lines).toHaveLength(LINES + 1);
  expect(lines.at(-2)).toBe(`a line of the log, the ${LINES - 1}th`);
});

it.runIf(process.platform === 'linux')(
  'loses what a full disk does not take, and stops nothing',
  async () => {
    const full = openSync('/dev/full', 'w');
    const child = run(full);
    closeSync(full);
    expect(await once(child, 'close')).toEqual([7, null]);
  },
);
