import { oneLine } from '../model/one-line.ts';
import { saysNoTls, tlsText } from '../model/tls-text.ts';
import { errnoOf, IsyncError, type ErrorCode } from '../model/isync-error.ts';
import { isStoresOwn } from './own-answer.ts';

/** What is wrong, and what an administrator of the bucket can do about it. */
interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /**
   * Where it differs from what the table of errors says of the code. Much that only a person can mend is true here all the
   * same: somebody can mend it at the bucket while the files wait, and a scan then goes on by itself.
   */
  readonly retryable?: boolean;
}

const CREDENTIALS: Meaning = {
  code: 'STORE_REFUSED',
  message: 'the object store refuses the credentials',
  hint: 'Check access key, secret key, session token and their expiry, and that they belong to this endpoint.',
  retryable: true,
};
const DENIED: Meaning = {
  code: 'STORE_REFUSED',
  message: 'the credentials lack a permission on the bucket',
  hint: 'Needed: s3:ListBucket, GetObject, PutObject, DeleteObject, ListBucketMultipartUploads, ListMultipartUploadParts, AbortMultipartUpload (and PutObjectTagging for tags, kms:* for a key).',
  retryable: true,
};
const THROTTLED: Meaning = { code: 'BUSY', message: 'the object store asks to slow down' };
const FULL: Meaning = {
  code: 'STORE_FULL',
  message: 'the bucket is full',
  hint: 'Raise the quota or make room; what waits goes on by itself.',
};
const BROKEN: Meaning = { code: 'STORE_FAILED', message: 'the object store fails' };
const REGION: Meaning = {
  code: 'STORE_MISSING',
  message: 'the bucket is in another region',
  hint: 'Name the region of the bucket.',
  retryable: true,
};
const NO_REGION: Meaning = {
  code: 'CONFIG_INVALID',
  message: 'nothing says in which region the bucket is',
  hint: 'Name the region (--s3-region, or "region" in the config file), set AWS_REGION, or have it in the profile; a server that is not AWS needs its endpoint.',
};
const CLOCK: Meaning = {
  code: 'CLOCK_SKEW',
  message: 'the clocks of this machine and of the object store differ too much',
  retryable: true,
};
const NO_TAGS: Meaning = {
  code: 'STORE_FAILED',
  message: 'the object store does not know how to do this',
  hint: 'Leave out tags, storage class and encryption: not every server has them.',
  retryable: false,
};
// The next try reads the new one.
const REPLACED: Meaning = {
  code: 'FILE_CHANGED',
  message: 'the object was replaced meanwhile',
  retryable: true,
};
const UNREACHABLE: Meaning = {
  code: 'UNREACHABLE',
  message: 'the object store does not answer',
  hint: 'Check the endpoint, the network and the firewall.',
};

const DAMAGED: Meaning = {
  code: 'DIGEST_MISMATCH',
  message: 'the bytes that came are not those of the checksum of the object',
};
const FOREIGN: Meaning = {
  code: 'UNREACHABLE',
  message: 'something that is no object store answers',
  hint: 'Check the endpoint, on the command line or in the config file: something else answers there.',
};
const NO_TLS: Meaning = {
  code: 'TLS_FAILED',
  message: 'the server speaks no TLS there',
  hint: 'Begin the endpoint with http://, or name the port on which the server speaks TLS.',
  retryable: true,
};
const UNTRUSTED: Meaning = {
  code: 'TLS_FAILED',
  message: 'the certificate of the object store is not trusted',
  hint: 'Name its authority with NODE_EXTRA_CA_CERTS=FILE, or as "ca" of the store in the config file.',
  retryable: true,
};

/** By the code in the server's answer, or by the name of the SDK's own error. */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: {
    code: 'STORE_MISSING',
    message: 'there is no such bucket',
    hint: 'Make the bucket, or correct its name: isync makes none.',
    retryable: true,
  },
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  InvalidBucketName: { code: 'STORE_MISSING', message: 'this is no name of a bucket' },
  CredentialsProviderError: {
    code: 'STORE_REFUSED',
    message: 'no credentials for the object store were found',
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile.',
    retryable: true,
  },
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  TokenRefreshRequired: CREDENTIALS,
  AccountProblem: CREDENTIALS,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  RequestTimeTooSkewed: CLOCK,
  SlowDown: THROTTLED,
  ServiceUnavailable: THROTTLED,
  TooManyRequests: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  OperationAborted: THROTTLED,
  PreconditionFailed: REPLACED,
  QuotaExceeded: FULL,
  EntityTooLarge: { code: 'FILE_TOO_LARGE', message: 'larger than the bucket takes' },
  KeyTooLongError: { code: 'BAD_PATH', message: 'the key is too long for the bucket' },
  // The part that arrived is not the one that was sent.
  BadDigest: { code: 'STORE_FAILED', message: 'the bytes were damaged on their way to the object store' },
  NotImplemented: NO_TAGS,
  TimeoutError: UNREACHABLE,
  RequestTimeout: UNREACHABLE,
};

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  301: REGION,
  401: CREDENTIALS,
  403: DENIED,
  409: THROTTLED,
  412: REPLACED,
  413: FULL,
  429: THROTTLED,
  501: NO_TAGS,
  503: THROTTLED,
  507: FULL,
};

/** The SDK's message for bytes that are not those of the checksum that came with them. */
const DAMAGED_BODY = /^Checksum mismatch/;
/** The SDK's message for an answer that can't be read, as pages for people can't. */
const NOT_XML = /^@aws-sdk XML parse error/;
/** Ours for one that can be read, and is no object store's. */
const NO_STORE = 'no answer of an object store';
const TLS_ERRORS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$)/;

/**
 * What a request to the object store failed with, as the IsyncError that callers get. Its `cause` is `error`.
 * @param where the bucket and its server, for people
 */
export function s3Error(error: unknown, where: string, path?: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const { code, message, hint, retryable } = meaningOf(error);
  // Servers and OpenSSL put several lines into a message.
  return new IsyncError(code, oneLine(`${message} (${where}: ${textOf(error)})`), {
    cause: error,
    retryable,
    ...(path !== undefined && { path }),
    ...(hint !== undefined && { hint }),
  });
}

/** Whether the server says that there is no such object, or no such upload. */
export function isAbsent(error: unknown): boolean {
  const name = nameOf(error);
  if (name === 'NoSuchBucket') return false;
  return name === 'NoSuchKey' || name === 'NoSuchUpload' || statusOf(error) === 404;
}

/**
 * Whether the object store itself says, in the body of its answer, that it has no such object. A bare 404, a page, a bucket
 * that is gone and every other answer say nothing about the object.
 * @param error what a request rejected with
 */
export function isNoSuchKey(error: unknown): boolean {
  const answer = answerIn(error);
  // The SDK takes this name from the body alone; of a 404 without one it makes `NotFound`.
  return nameOf(answer) === 'NoSuchKey' && statusOf(answer) === 404 && isStoresOwn(answer);
}

/** The server's answer, or the fault, as the SDK has it. */
export function answerIn(error: unknown): unknown {
  return error instanceof IsyncError ? error.cause : error;
}

/**
 * Whether the server has refused a request for good. After a fault of the network the request may have succeeded, and a
 * busy server may still serve the next try.
 * @param error what a request rejected with
 */
export function isRefusal(error: unknown): boolean {
  const answer = answerIn(error);
  const status = statusOf(answer);
  if (status === undefined || status < 400 || status >= 500) return false;
  const meaning = meaningOf(answer);
  return meaning !== THROTTLED && meaning !== FOREIGN;
}

/** Whether the server says that the object ends before the range that was asked for. */
export function isInvalidRange(error: unknown): boolean {
  return statusOf(error) === 416;
}

function meaningOf(error: unknown): Meaning {
  // The SDK gives this error no name.
  if (error instanceof Error && error.message === 'Region is missing') return NO_REGION;
  if (error instanceof Error && DAMAGED_BODY.test(error.message)) return DAMAGED;
  const known = BY_NAME[nameOf(error)];
  if (known !== undefined) return known;
  const status = statusOf(error);
  // With a higher status it is the page of a gateway whose server is down.
  if (isForeign(error) && status !== undefined && status < 429) return FOREIGN;
  if (status !== undefined) return BY_STATUS[status] ?? BROKEN;
  const errno = errnoOf(error);
  if (errno === undefined) return { code: 'INTERNAL', message: 'a fault at the object store' };
  if (TLS_ERRORS.test(errno)) return error instanceof Error && saysNoTls(error.message) ? NO_TLS : UNTRUSTED;
  return UNREACHABLE;
}

/** The code in the server's answer; '' where there is none. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/** The HTTP status of the server's answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const status = statusOf(error);
  // The SDK's own words; only the status is the server's.
  if (status !== undefined && (isForeign(error) || error.message === 'UnknownError'))
    return `HTTP status ${status}`;
  // When several addresses refuse a connection, the reasons stand inside, and the error has no message of its own.
  const message = error.message === '' ? (errnoOf(error) ?? '') : tlsText(error.message);
  return [error.name === 'Error' ? '' : error.name, status ?? '', message]
    .filter((each) => each !== '')
    .join(' ');
}

/** For an answer without what every object store says; told like a page that can't be read. */
export function foreignAnswer({ $metadata }: { readonly $metadata: object }): Error {
  return Object.assign(new Error(NO_STORE), { $metadata });
}

function isForeign(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (NOT_XML.test(error.message) || error.message === NO_STORE) return true;
  return error.name === 'NoSuchKey' && !isStoresOwn(error);
}
