import { expect, test } from 'vitest';
import { followMemory, MAX_MEMORY_BYTES, writeBacklog } from '../../harness/backlog.ts';
import { startStage } from '../../harness/stage.ts';

/** A device's backlog of closed directories, in as many files as wanted. */
export function backlogTest(directories: number, filesEach: number): void {
  test(`${directories} × ${filesEach} files are sent and sealed in bounded memory`, async () => {
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
  });
}
