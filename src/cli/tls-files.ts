import { readFileSync, statSync } from 'node:fs';
import { readText } from '../config/read-text.ts';
import { certificateEndsMs } from '../http/certificate.ts';
import type { TlsFiles } from '../http/create-server.ts';
import type { Log } from '../model/log.ts';
import { errnoOf } from '../model/isync-error.ts';

/** How often the files are looked at, in ms: a renewed certificate is served within five seconds. */
const LOOK_MS = 2000;

export interface TlsPaths {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
}

/**
 * Reads a server's certificate, key and, where one is named, the CA of its clients.
 * @returns undefined without a certificate
 * @throws IsyncError CONFIG_INVALID
 */
export function readTlsFiles({ tlsCert, tlsKey, tlsCa }: TlsPaths): TlsFiles | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: Buffer.from(readText(tlsCert, 'the file of --tls-cert')),
    key: Buffer.from(readText(tlsKey, 'the file of --tls-key')),
    ca: tlsCa === undefined ? undefined : Buffer.from(readText(tlsCa, 'the file of --tls-ca')),
  };
}

/** The files of a server that is served by them. */
export interface FollowedTls extends Disposable {
  /** When the certificate that is served ends, in ms since 1970; undefined without one. */
  readonly endsMs: number | undefined;
}

/**
 * Has a server use the files again whenever they have changed. Where they can't be used, as between the renewal of a
 * certificate and that of its key, those from before stay, the log tells, and the files are tried again.
 */
export function followTlsFiles(
  paths: TlsPaths,
  server: { useTls(tls: TlsFiles): void },
  log: Log,
): FollowedTls {
  const { tlsCert, tlsKey, tlsCa } = paths;
  const files = [tlsCert, tlsKey, tlsCa].filter((path) => path !== undefined);
  if (tlsCert === undefined) return { endsMs: undefined, [Symbol.dispose]: () => {} };
  let endsMs = certificateEndsMs(readFileSync(tlsCert));
  let served = versionsOf(files);
  let refused = '';
  const timer = setInterval(() => {
    const found = versionsOf(files);
    if (found === served || found === refused) return;
    try {
      const tls = readTlsFiles(paths);
      if (tls === undefined) return;
      server.useTls(tls);
      [served, refused, endsMs] = [found, '', certificateEndsMs(tls.cert)];
      log.info('the renewed certificate is served', {
        path: tlsCert,
        validTo: new Date(endsMs ?? 0).toISOString(),
      });
    } catch (error) {
      refused = found;
      log.error('the changed certificate can not be used: the one from before is served', { err: error });
    }
  }, LOOK_MS);
  timer.unref();
  return {
    get endsMs() {
      return endsMs;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** A text that differs for every version of any of the files, for a missing one and for each error of stat. */
function versionsOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
        return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      } catch (error) {
        return errnoOf(error) ?? 'unknown error';
      }
    })
    .join('\n');
}
