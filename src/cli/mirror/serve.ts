import { once } from 'node:events';
import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { showAddress } from '../../config/target-address.ts';
import { readOwnToken } from '../../config/token-file.ts';
import { checkExposure } from '../../http/exposure.ts';
import { type HttpLimits, type HttpServer, startServer } from '../../http/server.ts';
import { ThrottledLog } from '../../http/throttled-log.ts';
import { type OpenMirror, openMirror } from '../../mirror/open-mirror.ts';
import { onMissOf } from '../../mirror/rules-of-config.ts';
import { mirrorHandler } from '../../mirror/serve/mirror-handler.ts';
import { Readiness } from '../../mirror/serve/readiness.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { mirrorSettings } from '../../mirror/mirror-settings.ts';
import { mirrorStatus, type MirrorStatus } from './status.ts';

type Work = LastingWork<MirrorConfig>;

/** Uploads of ours that got no part for this long, in ms, belong to processes that were killed. */
const STALE_MS = 3600_000;

/** Each holds up to 64 KiB of an answer. */
export const MOST_CONNECTIONS = 8192;

const LIMITS: Omit<HttpLimits, 'endMs'> = {
  // A request has no body: this is for its head.
  requestMs: 30_000,
  headerMs: 10_000,
  // Cookies of a whole site: browsers send 16 KiB, and no more than this gets through CloudFront or nginx.
  headBytes: 32 * 1024,
  bodyBytes: 0,
  // As long as a CDN waits for an answer.
  halfClosedMs: 30_000,
  // Slow readers are served; who reads nothing for this long has left.
  stallMs: 60_000,
  keepAliveMs: 60_000,
  // A herd comes at once, often through one proxy.
  unadmitted: { total: 4096, perAddress: 4096 },
  connections: MOST_CONNECTIONS,
};

/** Answers requests until a signal comes, then lets fills end. */
export async function serve(given: Work): Promise<ExitCode> {
  const { config, output, log, signal, cut } = given;
  const token = tokenOf(config);
  checkExposed(config, token);
  const seen = await mirrorStatus(given);
  await using mirror = await openMirror(mirrorSettings(config), { log, observer: seen.observer.fills });
  await mirror.probe(signal);
  const readiness = new Readiness((signal) => mirror.probe(signal));
  await using server = await listen(given, { mirror, token, readiness, seen });
  const bucket = showAddress(config.bucket);
  await using status = await seen.open({ fills: mirror.fills, readiness, bucket });
  given.reloads({});
  const url = server.url('http');
  output.text(`isync mirror: listening on ${url} (bucket ${bucket})`);
  output.object({
    event: 'started',
    url,
    bucket,
    ...(status.url !== undefined && { status: status.url }),
  });
  const cleaned = removeStale(mirror, given);
  if (!signal.aborted) await once(signal, 'abort');
  readiness.ending();
  await server.end();
  await mirror.fills.end(cut);
  await cleaned;
  return output.done({}, EXIT.DONE);
}

/** What requests must bring. @throws IsyncError CONFIG_INVALID where its file can't be read */
export function tokenOf({ token, tokenFile }: MirrorConfig): string | undefined {
  return tokenFile === undefined ? token?.reveal() : readOwnToken(tokenFile);
}

/** @throws IsyncError CONFIG_INVALID where anybody on the network could read the bucket, or what only we may read at an origin */
export function checkExposed(config: MirrorConfig, token: string | undefined): void {
  const streams = config.onHit === 'stream' || config.fallback || onMissOf(config) === 'stream';
  checkExposure(config.listen, config.public || token !== undefined || !streams, {
    server: 'a mirror that streams objects',
    hint: 'Give it a token (--token-file), let it redirect (--on-hit redirect), or say that anybody may read the bucket: --public.',
  });
}

interface Parts {
  readonly mirror: OpenMirror;
  readonly token: string | undefined;
  readonly readiness: Readiness;
  readonly seen: MirrorStatus;
}

function listen({ config, log }: Work, { mirror, token, readiness, seen }: Parts): Promise<HttpServer> {
  return startServer({
    listen: config.listen,
    tls: undefined,
    limits: { ...LIMITS, endMs: config.grace },
    handler: mirrorHandler({
      ...mirror,
      onMiss: onMissOf(config),
      onHit: config.onHit,
      serviceEndpoint: config.serviceEndpoint,
      fallback: config.fallback,
      token,
      notReady: () => readiness.check(),
      observer: seen.observer,
      log,
    }),
    log,
    warnings: new ThrottledLog(log),
  });
}

/** Never rejects: a bucket that does not let us list its uploads has its own rule for them. */
async function removeStale(mirror: OpenMirror, { log, signal }: Work): Promise<void> {
  try {
    const removed = await mirror.kept.removeStaleUploads(STALE_MS, signal);
    if (removed > 0) log.info('uploads of killed processes were removed', { removed });
  } catch (error) {
    if (!signal.aborted) log.warn('uploads of killed processes can not be removed', { err: error });
  }
}
