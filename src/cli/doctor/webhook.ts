import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { isGuarded } from '../../events/http/access-rule.ts';
import { checkedHost } from '../../events/http/start-webhook.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { checkCanBeMade } from '../../sqlite/state-folder.ts';
import type { LastingWork } from '../lasting-command.ts';
import { readAccess } from '../webhook/serve.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { machineChecks } from './machine.ts';
import { checkOwnCertificate } from './own-certificate.ts';
import { checkPort } from './port.ts';
import { checkRoom } from './store-folder.ts';
import { actionChecks } from './webhook-action.ts';
import { checkBroker } from './webhook-queue.ts';

/** Requests hold a connection each, for a moment; actions some more. */
const FILES = 1024;

type Given = Pick<LastingWork<WebhookConfig>, 'config' | 'configFile' | 'signal' | 'cut'>;

/** All that `isync webhook` needs, with the same settings. It takes no event from a queue, and puts none there. */
export async function* webhookChecks(given: Given): AsyncGenerator<Check> {
  const { config } = given;
  yield* machineChecks(FILES);
  if (config.role !== 'work' && config.source === undefined) yield* serverChecks(config);
  yield* stateChecks(config);
  const broker = await checkBroker(given);
  if (broker !== undefined) yield broker;
  if (config.role !== 'receive') yield* actionChecks(given);
}

async function* serverChecks(config: WebhookConfig): AsyncGenerator<Check> {
  const name = 'who may post';
  let host: string;
  try {
    const access = readAccess(config);
    host = checkedHost({ ...config, access });
    yield whoMayPost(host, isGuarded(access), config);
  } catch (error) {
    yield failure(name, error);
    return;
  }
  yield checkOwnCertificate(config, 'events come by http://');
  const own = { name: 'webhook', isTls: config.tlsCert !== undefined, path: '/ping' };
  yield await checkPort({ host, port: config.port }, own);
}

function whoMayPost(host: string, guarded: boolean, { tlsCert, trustedProxy }: WebhookConfig): Check {
  const name = 'who may post';
  if (isLoopback(host)) return ok(name, 'this machine alone can connect');
  if (!guarded)
    return warning(name, 'everybody on the network (--insecure)', 'Give it a token (--token-file).');
  if (tlsCert === undefined && trustedProxy.length === 0)
    return warning(
      name,
      'without TLS, a token and events cross the network in the clear',
      'Give --tls-cert and --tls-key, or put a proxy with TLS in front.',
    );
  return ok(name, 'who brings what was asked for');
}

async function* stateChecks({ state, minFree }: WebhookConfig): AsyncGenerator<Check> {
  const name = 'state';
  try {
    await checkCanBeMade(state);
    yield ok(name, `${state} can be written to`);
  } catch (error) {
    yield failure(name, error);
    return;
  }
  const at = existsSync(state) ? state : dirname(state);
  yield await checkRoom(at, minFree, 'posts are answered with 503');
}
