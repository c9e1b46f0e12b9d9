import { join } from 'node:path';
import type { PullConfig } from '../../config/schemas/pull.ts';

type Folder = Pick<PullConfig, 'state'>;

/** What a pull remembers. */
export function stateFile({ state }: Folder): string {
  return join(state, 'state.db');
}

/** Its parked records. */
export function parkingFolder({ state }: Folder): string {
  return join(state, 'parked');
}
