import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { filesBelow, isMarked } from '../../harness/data-tree.ts';
import { lackingOf } from '../../harness/lacking.ts';
import { startStage, untilSealed, type Edge, type Stage } from '../../harness/stage.ts';

/** Something that sets the bit of the mark, or carries it along, while no isync runs. */
interface Case {
  readonly what: string;
  readonly directory: string;
  /** Done while isync runs; all files that are there then get their mark. */
  readonly before?: (edge: Edge) => Promise<void>;
  readonly whileDown: (edge: Edge) => Promise<void>;
}

/** Runs `script` in the root. */
function shell(edge: Edge, script: string): void {
  execFileSync('sh', ['-euc', script], { cwd: edge.root, stdio: ['ignore', 'ignore', 'pipe'] });
}

const CASES: readonly Case[] = [
  {
    what: 'a directory that was renamed',
    directory: 'renamed',
    before: async (edge) =>
      await edge.write(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`renamed.rec/f${i}`, i]))),
    whileDown: async ({ root }) => await rename(join(root, 'renamed.rec'), join(root, 'renamed')),
  },
  {
    what: 'a file that was sent before its writer went on and renamed it',
    directory: 'paused',
    before: async (edge) => await edge.write({ 'paused/out.half': 'first half\n' }),
    async whileDown({ root }) {
      await appendFile(join(root, 'paused/out.half'), 'second half\n');
      await rename(join(root, 'paused/out.half'), join(root, 'paused/out'));
    },
  },
  {
    what: 'a tar ball with modes of 664, unpacked by root',
    directory: 'tar',
    whileDown: async (edge) => {
      await edge.write({ '.from/a': 10, '.from/sub/b': 3000 });
      shell(
        edge,
        'chmod -R g+w .from; tar -cf .tar -C .from .; mkdir tar; tar -xpf .tar -C tar; rm -r .from .tar',
      );
    },
  },
  {
    what: 'files that were copied with their modes and times',
    directory: 'copied',
    whileDown: async (edge) => {
      await edge.write({ '.from': 20 });
      shell(
        edge,
        "chmod 664 .from; touch -d '2020-01-01' .from; mkdir copied; cp -p .from copied/a; mv .from copied/b",
      );
    },
  },
  {
    what: 'a tree that was given to its group',
    directory: 'chmod',
    whileDown: async (edge) => {
      await edge.write({ 'chmod/a': 10, 'chmod/sub/b': 10 });
      // In a later tick of the clock than the last write.
      shell(edge, 'sleep 0.02; chmod -R g+rwX chmod');
    },
  },
  {
    what: 'hard links',
    directory: 'linked',
    whileDown: async (edge) =>
      shell(edge, 'umask 002; mkdir linked; echo one > linked/a; sleep 0.02; ln linked/a linked/b'),
  },
  {
    what: 'files of a folder with a default ACL',
    directory: 'acl',
    whileDown: async (edge) =>
      shell(
        edge,
        `mkdir acl; setfacl -m u:nobody:rwx,d:u:nobody:rwx acl; for i in 1 2 3; do echo $i > acl/t$i; mv acl/t$i acl/f$i; done
        echo 4 > acl/f4; sleep 0.02; setfacl -m u:bin:rw acl/f4`,
      ),
  },
];

const hasAcl = !lacks('setfacl');

describe('a mark that isync has not set for this file does not stand for it:', () => {
  let stage: Stage;
  let edge: Edge;
  const cases = CASES.filter(({ directory }) => hasAcl || directory !== 'acl');

  beforeAll(async () => {
    stage = await startStage();
    edge = await stage.edge('edge1');
    for (const { before } of cases) await before?.(edge);
    {
      await using daemon = edge.daemon();
      await daemon.until('all marks', async () =>
        [...(await filesBelow(edge.root)).values()].every(isMarked),
      );
      await daemon.kill();
    }
    for (const { directory, whileDown } of cases) {
      await whileDown(edge);
      await edge.write({ [`${directory}/finished.parse`]: '' });
    }
    await using daemon = edge.daemon();
    await untilSealed(
      edge,
      cases.map(({ directory }) => directory),
      daemon,
    );
  });
  afterAll(async () => await stage[Symbol.asyncDispose]());

  test.each(cases)('$what', async ({ directory }) => {
    expect(await lackingOf(edge.root, edge.copy, directory)).toEqual([]);
  });
});

test('marks say nothing about a store that was put in the place of another', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`DC1/f${i}`, i])));
  {
    await using daemon = edge.daemon();
    await daemon.until('all marks', async () => [...(await filesBelow(edge.root)).values()].every(isMarked));
    await daemon.kill();
  }
  await stage.receiver.process.kill();
  await rm(stage.store, { recursive: true });
  await mkdir(stage.store);
  await stage.restartReceiver();
  await using daemon = edge.daemon();
  await edge.write({ 'DC1/finished.parse': '' });
  await untilSealed(edge, ['DC1'], daemon);
  expect(await edge.differences()).toEqual([]);
});

// Says so when it has stored into the map; stores into the same page again, and closes it, when it is told to.
const MAPPING = `
import mmap, sys
with open(sys.argv[1], 'w+b') as file:
    file.truncate(65536)
    with mmap.mmap(file.fileno(), 65536) as mapped:
        mapped[0:5] = b'first'
        print('stored', flush=True)
        sys.stdin.readline()
        mapped[0:5] = b'again'
print('closed', flush=True)`;

test.skipIf(lacks('python3'))(
  'a mapped file that is stored into after its mark, while isync is down, is sent again',
  async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/x': 1 });
    const file = join(edge.root, 'DC1/mapped');
    const writer = spawn('python3', ['-c', MAPPING, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(writer.stdout, 'data');
      {
        await using daemon = edge.daemon();
        await daemon.until('all marks', async () =>
          [...(await filesBelow(edge.root)).values()].every(isMarked),
        );
        await daemon.kill();
      }
      writer.stdin.write('\n');
      await once(writer.stdout, 'data');
    } finally {
      writer.kill();
    }
    await edge.write({ 'DC1/finished.parse': '' });
    await using daemon = edge.daemon();
    await untilSealed(edge, ['DC1'], daemon);
    expect((await readFile(join(edge.copy, 'DC1/mapped'))).toString('latin1', 0, 5)).toBe('again');
  },
);
