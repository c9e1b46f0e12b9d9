import { readText } from '../config/read-text.ts';
import type { ReceiveConfig } from '../config/schemas/receive.ts';
import type { ReceiverOptions } from '../receiver/receiver.ts';

/**
 * Returns what a receiver needs for TLS; undefined where it is to speak none.
 * @throws IsyncError CONFIG_INVALID where a file can't be read
 */
export function readReceiverTls({ tlsCert, tlsKey, tlsCa }: ReceiveConfig): ReceiverOptions['tls'] {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: Buffer.from(readText(tlsCert, 'the file of --tls-cert')),
    key: Buffer.from(readText(tlsKey, 'the file of --tls-key')),
    ca: tlsCa === undefined ? undefined : Buffer.from(readText(tlsCa, 'the file of --tls-ca')),
  };
}
