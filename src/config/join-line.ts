import { badValue } from './values.ts';

/** What a device needs to reach a server that it has never seen. */
export interface JoinLine {
  /** `wss://HOST:PORT`. */
  readonly url: string;
  readonly token: string;
  /** SHA-256 of the certificate of its authority, in hex. */
  readonly fingerprint: string;
  /** The device that the token is of. */
  readonly device: string | undefined;
}

const LINE = /^(wss:\/\/[^/?#\s]+)\/?#([\x21-\x22\x24-\x7e]{16,1024})#([\da-f]{64})(?:#([\w.-]{1,64}))?$/i;

/** `wss://HOST:7400#TOKEN#FINGERPRINT#DEVICE`, as the server's init prints it; the device may be left out. */
export function parseJoinLine(text: string): JoinLine {
  const [, url, token, fingerprint, device] = LINE.exec(text.trim()) ?? [];
  // It holds a token: the error must not show it.
  if (url === undefined || token === undefined || fingerprint === undefined || !URL.canParse(url))
    throw badValue(
      'is no line like wss://HOST:7400#TOKEN#FINGERPRINT, which "isync init" prints on the server',
    );
  return { url, token, fingerprint: fingerprint.toLowerCase(), device };
}

export function formatJoinLine({ url, token, fingerprint, device }: JoinLine): string {
  return [url, token, fingerprint, ...(device === undefined ? [] : [device])].join('#');
}
