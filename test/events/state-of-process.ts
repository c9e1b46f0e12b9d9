import { join } from 'node:path';
import { startNode, type CliProcess } from '../../harness/process.ts';

const MODULE = join(import.meta.dirname, '../../src/events/state/open-pull-state.ts');

/** Another process that opens the state in `file` and runs `code` with it; `flags` are those of Node. */
export function stateProcess(file: string, code: string, flags: readonly string[] = []): CliProcess {
  const source = `
    import { openPullState } from ${JSON.stringify(MODULE)};
    const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
    const object = (key) => ({ bucket: 'b', key, kind: 'file', folder: '/srv', path: key, etag: 'e', size: 1, mtimeUs: 1 });
    const state = await openPullState(${JSON.stringify(file)}, { log });
    ${code}`;
  return startNode([...flags, '--input-type=module', '-e', source]);
}
