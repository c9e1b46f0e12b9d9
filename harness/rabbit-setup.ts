import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startRabbitServer, type RabbitServer } from './rabbit-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The socket that tells the port of the run's RabbitMQ to whoever connects. */
    readonly rabbitSocket: string;
  }
}

/** One RabbitMQ for all test files of a run, started when the first of them asks: shared-rabbit.ts. It ends with the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-rabbit-socket-'));
  const socket = join(folder, 'socket');
  let running: Promise<RabbitServer> | undefined;
  const server = createServer((asking) => {
    running ??= startRabbitServer();
    running.then(
      ({ port }) => asking.end(String(port)),
      (error: unknown) => asking.end(String(error)),
    );
    asking.on('error', () => undefined);
  });
  await once(server.listen(socket), 'listening');
  project.provide('rabbitSocket', socket);
  return async () => {
    server.close();
    await (await running)?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
}
