import { errnoOf, IsyncError, type ErrorCode } from '../../model/isync-error.ts';
import { oneLine } from '../../model/one-line.ts';
import { tlsText } from '../../model/tls-text.ts';
import { s3Error, statusOf } from '../../s3/errors.ts';

/** A right on the queue, as a policy names it. */
export type SqsAction =
  | 'GetQueueUrl'
  | 'GetQueueAttributes'
  | 'ReceiveMessage'
  | 'DeleteMessage'
  | 'ChangeMessageVisibility'
  | 'SendMessage';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Where it differs from what the table of errors says of the code. */
  readonly retryable?: boolean;
}

const NO_QUEUE: Meaning = {
  code: 'STORE_MISSING',
  message: 'there is no such queue',
  hint: "Make the queue, or correct its name, region and account: isync makes none. Another account's queue must let us in by its policy.",
};
const CREDENTIALS: Meaning = {
  code: 'STORE_REFUSED',
  message: 'the queue refuses the credentials',
  hint: 'Check access key, secret key, session token and their expiry, and that they belong to this endpoint.',
  retryable: true,
};
const KMS: Meaning = {
  code: 'STORE_REFUSED',
  message: "the key of the queue's encryption can't be used",
  hint: 'Grant kms:Decrypt on the key, or enable the key.',
};
const TOO_LARGE: Meaning = {
  code: 'EVENT_INVALID',
  message: 'the message is larger than the queue takes',
  hint: 'Raise MaximumMessageSize of the queue, up to 1 MiB.',
};
const THROTTLED: Meaning = { code: 'BUSY', message: 'the queue asks to slow down' };
const CLOCK: Meaning = {
  code: 'CLOCK_SKEW',
  message: 'the clocks of this machine and of the queue differ too much',
  retryable: true,
};
const NOT_TAKEN: Meaning = { code: 'EVENT_INVALID', message: 'the queue does not take the message' };
const BROKEN: Meaning = { code: 'STORE_FAILED', message: 'the queue fails' };
const FOREIGN: Meaning = {
  code: 'UNREACHABLE',
  message: 'something that is no queue answers',
  hint: 'Check sqsEndpoint, or the URL of the queue: something else answers there.',
};

/** By the code in the queue's answer, or by the name of the SDK's own error. */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  QueueDoesNotExist: NO_QUEUE,
  NonExistentQueue: NO_QUEUE,
  QueueDeletedRecently: NO_QUEUE,
  InvalidAddress: NO_QUEUE,
  CredentialsProviderError: {
    code: 'STORE_REFUSED',
    message: 'no credentials for the queue were found',
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile or a role.',
    retryable: true,
  },
  BatchRequestTooLong: TOO_LARGE,
  ExpiredToken: CREDENTIALS,
  ExpiredTokenException: CREDENTIALS,
  IncompleteSignature: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  InvalidClientTokenId: CREDENTIALS,
  InvalidMessageContents: {
    code: 'EVENT_INVALID',
    message: 'the queue takes no message with such characters',
  },
  InvalidSecurity: CREDENTIALS,
  InvalidSignatureException: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  MissingAuthenticationToken: CREDENTIALS,
  MissingAuthenticationTokenException: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  TokenRefreshRequired: CREDENTIALS,
  UnrecognizedClientException: CREDENTIALS,
  KmsAccessDenied: KMS,
  KmsDisabled: KMS,
  KmsInvalidKeyUsage: KMS,
  KmsInvalidState: KMS,
  KmsNotFound: KMS,
  KmsOptInRequired: KMS,
  KmsThrottled: THROTTLED,
  // Of the messages in flight: those in hand go, and then there is room.
  OverLimit: THROTTLED,
  RequestThrottled: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  RequestExpired: CLOCK,
};

/** What the classification of the object store's errors says about AWS, its SDK and the network, in words for a queue. */
const BY_CODE: Readonly<Partial<Record<ErrorCode, Meaning>>> = {
  STORE_REFUSED: CREDENTIALS,
  BUSY: THROTTLED,
  CLOCK_SKEW: CLOCK,
  CONFIG_INVALID: {
    code: 'CONFIG_INVALID',
    message: 'nothing says in which region the queue is',
    hint: 'Give "region", set AWS_REGION, or name it in the profile; a server that is not AWS needs sqsEndpoint.',
  },
  TLS_FAILED: {
    code: 'TLS_FAILED',
    message: 'no trusted TLS connection to the queue',
    hint: 'Name the authority of its certificate with NODE_EXTRA_CA_CERTS=FILE; without TLS the endpoint begins with http://.',
    retryable: true,
  },
  UNREACHABLE: {
    code: 'UNREACHABLE',
    message: 'the queue does not answer',
    hint: 'Check the endpoint, the network and the firewall.',
  },
};

/** The SDK's error for an answer that is not JSON, as pages for people are not. */
const NOT_JSON = 'SyntaxError';

/**
 * What a request to the queue failed with, as the IsyncError that callers get. Its `cause` is `error`.
 * @param where the queue and its server, for people
 * @param action that the request needs
 */
export function queueError(error: unknown, where: string, action: SqsAction): IsyncError {
  if (error instanceof IsyncError) return error;
  const { code, message, hint, retryable } = meaningOf(error, where, action);
  return new IsyncError(code, oneLine(`${message} (${where}: ${textOf(error)})`), {
    cause: error,
    retryable,
    ...(hint !== undefined && { hint }),
  });
}

/** What one message of a batch failed with; `isOurs` where the queue says that the sender is at fault. */
export function messageError(
  { code, message }: { readonly code: string; readonly message: string },
  isOurs: boolean,
  where: string,
): IsyncError {
  const meaning = BY_NAME[code] ?? (isOurs ? NOT_TAKEN : BROKEN);
  return new IsyncError(meaning.code, `${meaning.message} (${where}: ${code} ${message})`, {
    retryable: meaning.retryable,
    hint: meaning.hint,
  });
}

/** What to say where the answer is well-formed and has not what each queue's answer has. */
export function foreignAnswer(where: string): IsyncError {
  return new IsyncError(FOREIGN.code, `${FOREIGN.message} (${where})`, { hint: FOREIGN.hint });
}

/** The code of an error without what old servers put before it. */
export function bareCode(code: string | undefined): string {
  return (code ?? '').replace(/^.*[.#]/, '');
}

function meaningOf(error: unknown, where: string, action: SqsAction): Meaning {
  const name = error instanceof Error ? bareCode(error.name) : '';
  if (name === 'AccessDenied' || name === 'AccessDeniedException') return denied(action);
  const known = BY_NAME[name];
  if (known !== undefined) return known;
  const status = statusOf(error);
  if (status === undefined || status === 429 || status === 503) return ofNetwork(error, where);
  // With a higher status it is the page of a gateway whose server is down.
  if (status > 429) return BROKEN;
  if (isPage(error)) return FOREIGN;
  if (status === 403) return denied(action);
  const { code } = s3Error(error, where);
  return BY_CODE[code] ?? BROKEN;
}

/** What is not the queue's own: the connection, the SDK, and servers in between. */
function ofNetwork(error: unknown, where: string): Meaning {
  const { code, retryable } = s3Error(error, where);
  return BY_CODE[code] ?? { code, message: 'a fault at the queue', retryable };
}

function denied(action: SqsAction): Meaning {
  if (action === 'SendMessage')
    return {
      code: 'STORE_REFUSED',
      message: 'the credentials lack sqs:SendMessage on the queue',
      hint: 'Grant sqs:SendMessage (and sqs:GetQueueUrl for a name or an ARN, kms:GenerateDataKey and kms:Decrypt for a key).',
    };
  return {
    code: 'STORE_REFUSED',
    message: `the credentials lack sqs:${action} on the queue`,
    hint: `Grant sqs:${action}; needed in all: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:GetQueueAttributes (and sqs:GetQueueUrl for a name or an ARN, kms:Decrypt for a key).`,
  };
}

/** Whether somebody else answers: a page, or a status that no queue has and no code in it. */
function isPage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === NOT_JSON || error.message === 'UnknownError';
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const status = statusOf(error);
  // The SDK's own words; only the status is the server's.
  if (status !== undefined && isPage(error)) return `HTTP status ${status}`;
  // When several addresses refuse a connection, the reasons stand inside, and the error has no message of its own.
  const message = error.message === '' ? (errnoOf(error) ?? '') : tlsText(error.message);
  return [error.name === 'Error' ? '' : error.name, status ?? '', message]
    .filter((each) => each !== '')
    .join(' ');
}
