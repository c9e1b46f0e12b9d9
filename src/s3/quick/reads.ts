import type { S3Client } from '@aws-sdk/client-s3';
import { Connections, type ConnectionsRoute } from './connections.ts';
import { Useful } from './useful.ts';

/** What reads right into memory go by. Of each kind is noted whether it is of use. */
export interface QuickReads {
  readonly connections: Connections;
  readonly ranges: Useful;
  readonly wholes: Useful;
}

const reads = new WeakMap<S3Client, QuickReads>();

/** Lets reads of a client be quick: for a server of its own address, with the bucket in the path. */
export function allowQuickReads(client: S3Client, route: ConnectionsRoute): void {
  const { pathname, search } = route.endpoint;
  if (pathname !== '/' || search !== '') return;
  const connections = new Connections(client, route);
  reads.set(client, { connections, ranges: new Useful(), wholes: new Useful() });
}

/** Undefined where the SDK must ask. */
export function quickReadsOf(client: S3Client): QuickReads | undefined {
  return reads.get(client);
}

/** Closes the connections that quick reads of the client have opened; reads under way then fail. */
export function closeQuickReads(client: S3Client): void {
  reads.get(client)?.connections[Symbol.dispose]();
}
