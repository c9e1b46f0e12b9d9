import type { Log } from '../../model/log.ts';
import type { AskedObject, AskHeaders } from '../../s3/ask-object.ts';
import type { Fills } from '../fill/fills.ts';
import type { MirrorRules } from '../rules.ts';
import type { ServeObserver } from './serve-observer.ts';

/** What a client gets for what the bucket lacks. */
export type OnMiss =
  /** Sent back to the service endpoint, once it is kept. */
  | 'redirect'
  /** The body as it comes. */
  | 'stream'
  /** Sent to the origin at once; it is kept behind that. */
  | 'redirect-origin';

/** Objects of the bucket, as {@link ObjectAsker} has them. Keys are those of the bucket. */
export interface Objects {
  ask(method: 'GET' | 'HEAD', key: string, headers: AskHeaders, signal: AbortSignal): Promise<AskedObject>;
}

export interface ServeOptions {
  readonly objects: Objects;
  /** '' or what all keys of the bucket begin with. */
  readonly prefix: string;
  readonly rules: MirrorRules;
  readonly fills: Fills;
  readonly onMiss: OnMiss;
  readonly onHit: 'stream' | 'redirect';
  /** Without "/" at its end; '': the host that the client has asked. Must be there for all that redirects to it. */
  readonly serviceEndpoint: string | undefined;
  /** Whether requests come from a CDN that did not get the object from the bucket. */
  readonly fallback: boolean;
  /** Of this mirror: see via.ts. */
  readonly viaId: string;
  /** What a request must bring as its bearer token; undefined: nothing. */
  readonly token: string | undefined;
  /** Why the mirror can't do its work just now; undefined where it can. */
  readonly notReady: () => Promise<string | undefined>;
  /** Most bytes of an object that are streamed; for more, clients are sent elsewhere. Default: any. */
  readonly mostBytes?: number | undefined;
  /** Longest time that a client waits for the bucket to keep what has come, in ms. Default: 15 s. */
  readonly keptWithinMs?: number | undefined;
  readonly observer?: ServeObserver | undefined;
  readonly log: Log;
}

/** What holds for one request alone. */
export interface RequestLimits {
  /** On the clock of performance.now(): until then there must be an answer. */
  readonly deadlineMs?: number | undefined;
}
