import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';

const listeners = new AsyncLocalStorage<() => void>();

// The SDK does not tell. The channel does, synchronously, for each request that is begun.
subscribe('http.client.request.start', (message) => {
  const listener = listeners.getStore();
  if (listener !== undefined && isStart(message)) message.request.once('finish', listener);
});

/**
 * Calls `sent` each time a request that `act` makes has been handed to the kernel whole: it arrives from then on though
 * this process be killed. More than once where the request is tried again, never where the server answers before.
 */
export function tellingBodySent<T>(sent: () => void, act: () => Promise<T>): Promise<T> {
  return listeners.run(sent, act);
}

function isStart(message: unknown): message is { request: EventEmitter } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'request' in message &&
    message.request instanceof EventEmitter
  );
}
