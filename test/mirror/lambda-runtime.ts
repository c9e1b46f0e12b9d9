import { PassThrough, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createInterface } from 'node:readline';

/** Stands for Lambda's runtime: a line of JSON on stdin is an invocation, one on stdout its result. `node lambda-runtime.ts BUNDLE` */

interface Invocation {
  readonly handler: 'handler' | 'streamHandler';
  readonly event: unknown;
  readonly remainingMs: number;
}

type Streaming = (event: unknown, stream: Writable, context: object) => Promise<void>;

let metadata: unknown;

Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Streaming) => handler,
    HttpResponseStream: {
      from(stream: Writable, given: unknown) {
        metadata = given;
        return stream;
      },
    },
  },
});

const began = performance.now();
const bundle = (await import(process.argv[2] ?? '')) as {
  readonly handler: (event: unknown, context: object) => Promise<unknown>;
  readonly streamHandler: Streaming;
};
console.log(JSON.stringify({ importMs: performance.now() - began }));

for await (const line of createInterface({ input: process.stdin })) {
  const { handler, event, remainingMs } = JSON.parse(line) as Invocation;
  console.log(JSON.stringify(await invoke(handler, event, remainingMs)));
}

async function invoke(name: Invocation['handler'], event: unknown, remainingMs: number): Promise<unknown> {
  const ends = performance.now() + remainingMs;
  const context = { getRemainingTimeInMillis: () => ends - performance.now() };
  if (name === 'handler') return await bundle.handler(event, context);
  const stream = new PassThrough();
  const [body] = await Promise.all([buffer(stream), bundle.streamHandler(event, stream, context)]);
  return { ...(metadata as object), body: body.toString('base64'), isBase64Encoded: true };
}
