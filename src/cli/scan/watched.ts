import type { Log } from '../../model/log.ts';
import type { Problem } from '../../model/problem.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import type { ScanObserver } from '../../sender/scan/scan-options.ts';
import type { SealHook } from '../hooks/seal-hook.ts';

/** Logs what a scan tells, and counts it for the status line. */
export class Watched implements ScanObserver {
  readonly #log: Log;
  files = 0;
  bytes = 0;
  /** Bytes of messages to a receiver; what is sent again counts again. */
  wireBytes = 0;
  onTransferred: () => void = () => undefined;
  hook: { readonly device: string; readonly seal: SealHook } | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  sent(bytes: number): void {
    this.bytes += bytes;
  }

  transferred(path: string, bytes: number): void {
    this.files++;
    this.onTransferred();
    this.#log.debug('transferred', { path, bytes });
  }

  problem({ path, code, message }: Problem): void {
    this.#log.warn(message, { code, path });
  }

  sealing(name: string): void {
    this.hook?.seal.sealing(name);
  }

  directory(name: string, state: string, sealed: boolean): void {
    if (sealed) this.hook?.seal.sealed(this.hook.device, name);
    this.#log.info(sealed ? 'directory sealed' : `directory ${state}`, { directory: name });
  }
}

/** What was sent of several scans, in a line: for `systemctl status`. */
export function statusLine(all: readonly Pick<Watched, 'files' | 'bytes'>[]): string {
  const files = all.reduce((total, watched) => total + watched.files, 0);
  const bytes = all.reduce((total, watched) => total + watched.bytes, 0);
  return `${formatCount(files, 'file')}, ${formatBytes(bytes)} sent`;
}
