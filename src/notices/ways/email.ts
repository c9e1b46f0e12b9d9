import { Socket } from 'node:net';
import { IsyncError } from '../../model/isync-error.ts';
import { tlsText } from '../../model/tls-text.ts';
import type { NotifyWay } from '../rule.ts';
import type { Notice } from '../notice.ts';

/** A server that says nothing for so long has failed, in ms: less than what a try may take. */
const SILENCE_MS = 20_000;

type Email = Extract<NotifyWay, { readonly type: 'email' }>;

/** Sends the notice as a mail, by SMTP. The other side has it once the server has said so. */
export async function sendMail(way: Email, notice: Notice, signal: AbortSignal): Promise<void> {
  const { host, port, security, user, password, from, to } = way;
  const { createTransport } = await import('nodemailer');
  // Ours, so that an abort ends it: closing the transport leaves a connection that is in use alone.
  const socket = new Socket();
  const transport = createTransport({
    socket,
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user !== undefined && { auth: { user, pass: password } }),
    connectionTimeout: SILENCE_MS,
    greetingTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    dnsTimeout: SILENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(signal.reason);
    socket.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const sent = transport.sendMail({
      from,
      to: [...to],
      subject: notice.title,
      text: `${[notice.title, '', ...notice.lines].join('\n')}\n`,
      date: new Date(notice.atMs),
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
    const { rejected } = await Promise.race([sent, aborted]);
    if (rejected.length > 0)
      throw new IsyncError('NOTICE_FAILED', `${host} has not taken the mail for ${rejected.join(', ')}`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof IsyncError) throw error;
    throw mailError(error, host);
  } finally {
    signal.removeEventListener('abort', abort);
    transport.close();
  }
}

function mailError(error: unknown, host: string): IsyncError {
  const text = error instanceof Error ? tlsText(error.message) : String(error);
  // What the server answered has its code; anything else never got as far as that.
  const hasAnswered = error instanceof Error && 'responseCode' in error && error.responseCode !== undefined;
  return hasAnswered
    ? new IsyncError('NOTICE_FAILED', `the mail server ${host} has refused: ${text}`)
    : new IsyncError('UNREACHABLE', `the mail server ${host} can't be told: ${text}`, {
        hint: 'Check host, port and security (tls, starttls, none) in "notify", the network and the firewall.',
      });
}
