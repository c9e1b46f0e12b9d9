import { mirrorSchema } from '../../config/schemas/mirror.ts';
import { optionName } from '../../config/names.ts';
import { readConfigFile } from '../../config/parse-config-file.ts';
import { readConfig } from '../../config/read-config.ts';
import { createLog } from '../../observe/log.ts';
import type { HttpRequest, HttpResponse } from '../../http/handler.ts';
import type { Log } from '../../model/log.ts';
import { mirrorSettings } from '../mirror-settings.ts';
import { openMirror } from '../open-mirror.ts';
import { onMissOf } from '../rules-of-config.ts';
import { mirrorHandler } from '../serve/mirror-handler.ts';

/** Settings whose variables have the names that the template gives them. */
const VARIABLES = {
  bucket: 's3_bucket',
  externalEndpoint: 'external_endpoint',
  serviceEndpoint: 'service_endpoint',
};
/** Bytes of /tmp that bodies may take: the smallest that Lambda gives, with some room. Another size stands in ISYNC_SPOOL_SIZE. */
const SPOOL = '480MiB';

/** A mirror that answers one request at a time, and is frozen between two of them. */
export interface MirrorFunction {
  readonly log: Log;
  /**
   * Resolves with the response; when its body has been read, {@link settled} tells when nothing is done behind it any more.
   * @param remainingMs until Lambda ends the invocation
   */
  answer(request: HttpRequest, remainingMs: number): Promise<HttpResponse>;
  /** Resolves when no fill is under way: until then Lambda must not freeze the process. */
  settled(): Promise<void>;
}

/**
 * Opens what environment variables name: `s3_bucket`, `external_endpoint`, `service_endpoint`, and what else `isync mirror` takes
 * as `ISYNC_…`.
 * @param mostBytes of a body that is passed on
 * @throws IsyncError CONFIG_INVALID
 */
export async function openMirrorFunction(
  environment: Readonly<Record<string, string | undefined>>,
  mostBytes: number,
): Promise<MirrorFunction> {
  const { service_endpoint: service, ISYNC_SPOOL_SIZE: spool = SPOOL, ...others } = environment;
  const given = {
    ...others,
    ISYNC_SPOOL_SIZE: spool,
    ...(service !== undefined && service !== '' && { service_endpoint: service }),
  };
  const command = {
    section: 'mirror',
    ownFile: true,
    sections: ['mirror'],
    places: [],
    secrets: ['token'],
    names: Object.keys(mirrorSchema.shape).map(optionName),
    variables: VARIABLES,
  };
  const config = readConfig(mirrorSchema, command, {
    flags: {},
    environment: given,
    readFile: readConfigFile,
  });
  const log = createLog(config.logLevel, undefined);
  const mirror = await openMirror(mirrorSettings(config), { log });
  const handler = mirrorHandler({
    ...mirror,
    onMiss: config.onMiss ?? (config.serviceEndpoint === undefined ? 'redirect' : onMissOf(config)),
    onHit: 'redirect',
    // A Location without a host is of the host that the client has asked: the CDN's.
    serviceEndpoint: config.serviceEndpoint ?? '',
    fallback: true,
    token: config.token?.reveal(),
    notReady: async () => undefined,
    mostBytes,
    log,
  });
  return {
    log,
    answer: (request, remainingMs) => handler(request, { deadlineMs: performance.now() + remainingMs }),
    settled: () => mirror.fills.settled(),
  };
}
