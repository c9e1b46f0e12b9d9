import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { inspectFile } from '../../src/scanner/inspect-file.ts';
import { isMarked } from '../../src/scanner/is-marked.ts';
import { lookAt } from '../../src/scanner/look-at.ts';
import { markFile } from '../../src/scanner/mark.ts';
import { OwnMarks } from '../../src/scanner/own-marks.ts';
import { makeRoot, rel, seen, write } from '../scanner/support.ts';

const PATH = rel('DC1/a');
// Without the second look of ours some 100 of these believe a mark that the writer has long made void.
const LOOKS = 1_000_000;
/** A writer that loses its processor just between the two stamps is seen so twice. */
const MOST_BELIEVED = 5;

// Appends byte by byte with pauses of every length up to 200 µs, and prints `writing` after the first.
const WRITER = `
  const fs = require('node:fs');
  const fd = fs.openSync(process.argv[1], 'a');
  fs.writeSync(fd, 'x');
  process.stdout.write('writing');
  for (;;) {
    fs.writeSync(fd, 'x');
    const until = process.hrtime.bigint() + BigInt(Math.floor(Math.random() * 200_000));
    while (process.hrtime.bigint() < until);
  }`;

// Appends 200 times with such pauses for each line that it reads, and prints one then.
const BURSTS = `
  const fs = require('node:fs');
  const fd = fs.openSync(process.argv[1], 'a');
  process.stdin.on('data', () => {
    for (let n = 0; n < 200; n++) {
      fs.writeSync(fd, 'x');
      const until = process.hrtime.bigint() + BigInt(Math.floor(Math.random() * 200_000));
      while (process.hrtime.bigint() < until);
    }
    process.stdout.write('done');
  });`;

test('next to no look in the middle of a write takes the file for a marked one', async () => {
  const root = makeRoot();
  const file = `${root}/${PATH}`;
  write(root, PATH, 'content');
  chmodSync(file, 0o664);
  const writer = spawn(process.execPath, ['-e', WRITER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let believed = 0;
  const sizes = new Set<number>();
  try {
    await once(writer.stdout, 'data');
    for (let look = 0; look < LOOKS; look++) {
      const found = inspectFile(root, PATH);
      if (found?.kind !== 'file') throw new Error('the file is gone');
      if (found.file.marked) believed++;
      if (look % 100_000 === 0) sizes.add(found.file.entry.size);
    }
  } finally {
    writer.kill();
  }
  expect(believed).toBeLessThanOrEqual(MOST_BELIEVED);
  // Else nothing was written meanwhile.
  expect(sizes.size).toBeGreaterThan(1);
});

test('a mark of our own, which needs one look, is never seen on what was written after it', async () => {
  const root = makeRoot();
  const file = `${root}/${PATH}`;
  write(root, PATH, 'content');
  const writer = spawn(process.execPath, ['-e', BURSTS, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const own = new OwnMarks();
  let believed = 0;
  let seenOwn = 0;
  try {
    for (let burst = 0; burst < 20; burst++) {
      const result = await markFile(root, PATH, seen(root, PATH));
      if (result.outcome !== 'marked') throw new Error(result.outcome);
      const { identity } = result;
      own.add(identity);
      await vi.waitFor(() => expect(own.has(lstatSync(file))).toBe(true));
      writer.stdin.write('go');
      const done = once(writer.stdout, 'data');
      for (let isDone = false; !isDone;) {
        for (let look = 0; look < 1000; look++) {
          const stats = lookAt(file, own.has);
          if (stats === undefined || !isMarked(stats)) continue;
          if (stats.ctimeMs !== identity.ctimeMs) believed++;
          else if (stats.size === identity.size) seenOwn++;
          else throw new Error('a write is hidden by the mark before it');
        }
        isDone = await Promise.race([done.then(() => true), setImmediate(false)]);
      }
    }
  } finally {
    writer.kill();
  }
  expect(believed).toBeLessThanOrEqual(MOST_BELIEVED);
  expect(seenOwn).toBeGreaterThan(0);
});
