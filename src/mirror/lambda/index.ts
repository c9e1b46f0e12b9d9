import type { Writable } from 'node:stream';
import { provideDisposableStacks } from '../../model/disposable-stacks.ts';
import type { HttpHandler } from '../../http/handler.ts';
import { answerBuffered, BUFFERED_BYTES, type UrlResult } from './buffered.ts';
import type { UrlEvent } from './event.ts';
import { type MirrorFunction, openMirrorFunction } from './open-mirror-function.ts';
import { answerStreamed, type AwsLambda, STREAMED_BYTES } from './streamed.ts';

/** The handlers of a function: `index.handler`, or `index.streamHandler` where its URL has the invoke mode RESPONSE_STREAM. */

interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

declare global {
  /** Of Lambda's runtime. Elsewhere the SDK may put an empty one there. */
  var awslambda: Partial<AwsLambda<LambdaContext>> | undefined;
}

provideDisposableStacks();

/** Stands for a client that never leaves: Lambda tells nothing of one that does. */
const never = new AbortController().signal;

/** Opened once for all invocations of a process; a failure is tried again. */
const opened = new Map<number, Promise<MirrorFunction>>();

function open(mostBytes: number): Promise<MirrorFunction> {
  let mirror = opened.get(mostBytes);
  if (mirror === undefined) {
    mirror = openMirrorFunction(process.env, mostBytes);
    mirror.catch(() => opened.delete(mostBytes));
    opened.set(mostBytes, mirror);
  }
  return mirror;
}

export async function handler(event: UrlEvent, context: LambdaContext): Promise<UrlResult> {
  const mirror = await open(BUFFERED_BYTES);
  const remainingMs = context.getRemainingTimeInMillis();
  const result = await answerBuffered(
    (request) => mirror.answer(request, remainingMs),
    event,
    never,
    mirror.log,
  );
  await mirror.settled();
  return result;
}

async function stream(event: UrlEvent, to: Writable, context: LambdaContext): Promise<void> {
  const HttpResponseStream = globalThis.awslambda?.HttpResponseStream;
  if (HttpResponseStream === undefined) throw new Error('this is not AWS Lambda');
  const mirror = await open(STREAMED_BYTES);
  const { log } = mirror;
  const remainingMs = context.getRemainingTimeInMillis();
  const answer: HttpHandler = (request) => mirror.answer(request, remainingMs);
  await answerStreamed(answer, event, to, { HttpResponseStream }, { signal: never, log });
  await mirror.settled();
}

/** Undefined outside of Lambda. */
export const streamHandler = globalThis.awslambda?.streamifyResponse?.(stream);
