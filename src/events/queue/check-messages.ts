import { IsyncError } from '../../model/isync-error.ts';
import { MAX_ID_LENGTH, type QueueMessage } from './event-queue.ts';

/** No blanks and no controls: an id is also a header's value in NATS and AMQP. */
const ID = /^[!-~]+$/;

/**
 * @param maxBytes of a body, in UTF-8
 * @throws IsyncError EVENT_INVALID
 */
export function checkMessages(messages: readonly QueueMessage[], maxBytes: number): void {
  for (const { id, body } of messages) {
    if (id.length > MAX_ID_LENGTH || !ID.test(id))
      throw invalid(`an id must be 1 to ${MAX_ID_LENGTH} visible ASCII characters`);
    const bytes = Buffer.byteLength(body);
    if (bytes > maxBytes)
      throw invalid(`a message of ${bytes} bytes is larger than the queue takes (${maxBytes})`);
  }
}

function invalid(message: string): IsyncError {
  return new IsyncError('EVENT_INVALID', message);
}
