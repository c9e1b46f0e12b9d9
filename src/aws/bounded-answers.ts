import { PassThrough, Readable, pipeline } from 'node:stream';
import { IsyncError } from '../model/isync-error.ts';

/** Longest error that is kept whole, in bytes: a real one has some hundred. Dozens may come at a time. */
const MOST_ERROR_BYTES = 256 * 1024;

/** What the bodies of answers are held to. */
export interface AnswerBounds {
  /** Bytes of a body that the SDK keeps whole in memory, where it is no error: what lists something. */
  readonly mostBytes: number;
  /** Tags of XML in such a body, which take far more memory than their bytes once they are parsed. Default: no limit. */
  readonly mostTags?: number | undefined;
  /** Answers to these commands are read piece by piece, where they are no errors. */
  readonly streamed?: ReadonlySet<string> | undefined;
}

/** Where it goes in the stack of a client: low is next to the network, before anything is read. */
export const BOUNDED_ANSWERS = { step: 'deserialize', name: 'boundedAnswers', priority: 'low' } as const;

/** Middleware that refuses answers which would fill the memory: what answers at an endpoint may be anything. */
export function boundedAnswers({ mostBytes, mostTags = Infinity, streamed }: AnswerBounds) {
  return <Call, Result extends { readonly response: unknown }>(
      next: (call: Call) => Promise<Result>,
      { commandName = '' }: { readonly commandName?: string },
    ) =>
    async (call: Call): Promise<Result> => {
      const result = await next(call);
      const { response } = result;
      if (!isAnswer(response)) return result;
      const isError = response.statusCode >= 300;
      if (!isError && streamed?.has(commandName) === true) return result;
      const most = isError ? Math.min(mostBytes, MOST_ERROR_BYTES) : mostBytes;
      // Each tag is a byte at least.
      if (!isAnnounced(response, Math.min(most, mostTags)))
        response.body = bounded(response.body, most, mostTags);
      return result;
    };
}

/** Whether the answer says itself that it is short: Node's parser takes no more bytes than it announces. */
function isAnnounced({ statusCode, headers }: Answer, most: number): boolean {
  // These have no body, whatever they announce.
  if (statusCode === 204 || statusCode === 304) return true;
  const length = headers?.['content-length'];
  return length !== undefined && headers?.['transfer-encoding'] === undefined && Number(length) <= most;
}

function bounded(body: Readable, most: number, mostTags: number): Readable {
  let size = 0;
  let tags = 0;
  const passed = new PassThrough();
  const counted = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      size += piece.length;
      if (size > most) throw tooLong(`${most} bytes`);
      if (mostTags < Infinity) tags += tagsIn(piece);
      if (tags > mostTags) throw tooLong(`${mostTags} tags`);
      yield piece;
    }
  };
  pipeline(body, counted, passed, () => {
    // Told to the reader of `passed`.
  });
  return passed;
}

function tagsIn(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(0x3c); at >= 0; at = piece.indexOf(0x3c, at + 1)) count += 1;
  return count;
}

function tooLong(most: string): IsyncError {
  return new IsyncError('UNREACHABLE', `an answer is longer than ${most}`, {
    hint: 'Check the endpoint: no answer of a queue or an object store is that long.',
  });
}

interface Answer {
  readonly statusCode: number;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  body: Readable;
}

function isAnswer(response: unknown): response is Answer {
  return (
    typeof response === 'object' &&
    response !== null &&
    'statusCode' in response &&
    'body' in response &&
    response.body instanceof Readable
  );
}
