import { once } from 'node:events';
import { request as httpRequest, type Agent } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { TOKEN } from './http-support.ts';

export async function tcp(port: number, say: string): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(say);
  return socket;
}

/** By whatever: a reset is an error of the socket, too. */
export const isClosed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.resume().once('close', () => resolve()));

interface Posted {
  readonly status: number;
  readonly text: string;
}

export function post(
  port: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<Posted> {
  return ask(port, 'POST', '/webhook', body, { authorization: `Bearer ${TOKEN}`, ...headers }, agent);
}

export async function ask(
  port: number,
  method: string,
  path: string,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<Posted> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: agent ?? false });
  const answer = new Promise<Posted>((resolve, reject) => {
    request.on('error', reject).once('response', (response) => {
      text(response).then((told) => resolve({ status: response.statusCode ?? 0, text: told }), reject);
    });
  });
  request.end(body);
  return answer;
}

export const headOf = (lines: readonly string[]): string =>
  ['POST /webhook HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n');
export const WITH_TOKEN = `Authorization: Bearer ${TOKEN}`;
