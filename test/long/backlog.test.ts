import { expect, test } from 'vitest';
import { followMemory, MAX_MEMORY_BYTES, writeBacklog } from '../../harness/backlog.ts';
import { startStage } from '../../harness/stage.ts';

test.each([
  { directories: 1, filesEach: 100_000 },
  { directories: 2000, filesEach: 10 },
])(
  '$directories × $filesEach files are sent and sealed in bounded memory',
  async ({ directories, filesEach }) => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    const names = writeBacklog(edge.root, directories, filesEach);
    await using scan = edge.daemon(['--once']);
    using memory = followMemory(scan);
    const { exitCode } = await scan.ended;
    expect({ exitCode, unsealed: names.filter((name) => !edge.sealed(name)) }).toEqual({
      exitCode: 0,
      unsealed: [],
    });
    expect(await edge.differences()).toEqual([]);
    expect(memory.peakBytes).toBeGreaterThan(0);
    expect(memory.peakBytes).toBeLessThan(MAX_MEMORY_BYTES);
    expect(stage.receiver.process.peakMemory()).toBeLessThan(MAX_MEMORY_BYTES);
  },
);
