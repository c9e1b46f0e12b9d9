import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Limiter } from '../../flow/limiter.ts';
import { type Percentiles, percentilesOf } from './percentiles.ts';

/** One that has not answered by then is lost, in ms: a part would have waited for longer, and each is small. */
const SAMPLE_MS = 5000;
/** Samples under way at a time: where all are lost, a check must end some time. */
const AT_A_TIME = 5;

export interface Measured {
  readonly samples: number;
  /** Without an answer, or with one that a broken server gives (5xx). */
  readonly lost: number;
  /** To an open connection, with TLS, in ms; undefined where there never was one. */
  readonly connectMs: Percentiles | undefined;
  /** From there to the head of the answer, in ms. */
  readonly firstByteMs: Percentiles | undefined;
}

export interface MeasureOptions {
  readonly samples: number;
  /** Certificates (PEM) of the authorities to trust there. */
  readonly ca?: string | undefined;
  /** Of one, in ms. Default {@link SAMPLE_MS}. */
  readonly sampleMs?: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Asks a server some times, on a new connection each, without credentials and without another try: the SDK's own tries would hide what
 * is lost. Any answer will do, also that this is not allowed.
 */
export async function measureEndpoint(endpoint: string, options: MeasureOptions): Promise<Measured> {
  const { samples, signal } = options;
  const limiter = new Limiter(AT_A_TIME);
  const taken = await Promise.all(
    Array.from(
      { length: samples },
      async () => await limiter.run(async () => await sampleOf(endpoint, options)),
    ),
  );
  signal.throwIfAborted();
  const connects = taken.map(({ connectMs }) => connectMs).filter((ms) => ms !== undefined);
  const firstBytes = taken.map(({ firstByteMs }) => firstByteMs).filter((ms) => ms !== undefined);
  return {
    samples,
    lost: samples - firstBytes.length,
    connectMs: percentilesOf(connects),
    firstByteMs: percentilesOf(firstBytes),
  };
}

interface Sample {
  readonly connectMs: number | undefined;
  readonly firstByteMs: number | undefined;
}

function sampleOf(endpoint: string, { ca, sampleMs = SAMPLE_MS, signal }: MeasureOptions): Promise<Sample> {
  const url = new URL(endpoint);
  const isTls = url.protocol === 'https:';
  const { promise, resolve } = Promise.withResolvers<Sample>();
  const beganMs = performance.now();
  let connectedMs: number | undefined;
  const request = (isTls ? httpsRequest : httpRequest)(url, {
    method: 'HEAD',
    agent: false,
    // We close it once the head is here. Asked to close, something between may cut the answer that is on its way.
    headers: { connection: 'keep-alive' },
    ...(ca !== undefined && { ca }),
  });
  const end = (firstByteMs?: number): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    resolve({ connectMs: connectedMs === undefined ? undefined : connectedMs - beganMs, firstByteMs });
    request.destroy();
  };
  const abort = (): void => end();
  const timer = setTimeout(abort, sampleMs);
  signal.addEventListener('abort', abort, { once: true });
  request.once('socket', (socket) => {
    socket.once(isTls ? 'secureConnect' : 'connect', () => (connectedMs = performance.now()));
  });
  request.once('response', ({ statusCode = 0 }) => {
    end(statusCode < 500 ? performance.now() - (connectedMs ?? beganMs) : undefined);
  });
  // Also behind its end: destroying it is an error to it.
  request.on('error', () => end());
  if (signal.aborted) end();
  else request.end();
  return promise;
}
