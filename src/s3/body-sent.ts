import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';

const listeners = new AsyncLocalStorage<() => void>();

// The SDK does not tell when a body has left. Node publishes each request here as it begins, synchronously.
subscribe('http.client.request.start', (message) => {
  const listener = listeners.getStore();
  if (listener !== undefined && isStart(message)) message.request.once('finish', listener);
});

/**
 * Runs `act`, and calls `sent` each time one of its requests has been handed to the kernel whole: from then on it arrives
 * even when this process is killed. A request that is tried again calls `sent` again; one that the server answers before
 * its body has left never does.
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
