import { IsyncError } from '../../model/isync-error.ts';
import { tlsText } from '../../model/tls-text.ts';
import { ANSWER_MS, textOf } from '../../observe/status/ask-socket.ts';
import { parseReport, type ToldReport } from '../../observe/status/parse-report.ts';

/**
 * Returns what the status page at `url` tells. Redirects are not followed: a token goes where it was meant to.
 * @throws IsyncError UNREACHABLE, AUTH_REFUSED, PROTOCOL
 */
export async function askUrl(url: URL, token: string | undefined): Promise<ToldReport> {
  const address = new URL(url);
  address.pathname = `${url.pathname.replace(/\/+$/, '')}/status.json`;
  const where = address.host;
  try {
    const response = await fetch(address, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.status === 401 || response.status === 403)
      throw new IsyncError(
        'AUTH_REFUSED',
        `${where} ${token === undefined ? 'needs a token' : 'refuses the token'}`,
        {
          hint: 'Give the token that its command has as --status-token-file with --token-file.',
        },
      );
    if (response.status !== 200 || response.body === null)
      throw new IsyncError(
        'UNREACHABLE',
        `${where} has answered ${response.status}, and not as a status page of isync`,
        {
          hint: 'Give the address that its command has as --status.',
        },
      );
    return parseReport(await textOf(response.body));
  } catch (error) {
    if (error instanceof IsyncError) throw error;
    throw new IsyncError('UNREACHABLE', `${where} can't be asked: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Is the command running, with --status? Check address, network and firewall.',
    });
  }
}

/** fetch says "fetch failed", and why in the cause. */
function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return `it has not answered within ${ANSWER_MS / 1000} s`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return cause.message === '' ? (code ?? cause.name) : tlsText(cause.message);
}
