import { type WebhookConfig, webhookSchema } from '../config/schemas/webhook.ts';
import { EXIT } from './exit-codes.ts';
import { planHeapGrowth } from './heap-growth.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';
import { serve } from './webhook/serve.ts';

export const runWebhook = lastingCommand(webhookSchema, FINISHING, async (given) => {
  const { signal } = given;
  if (mayAskByTls(given.config)) trustSystemCas();
  // Nobody sends it anything: it has room for what is under way.
  if (given.config.role === 'work') planHeapGrowth('sender');
  try {
    return await serve(given);
  } catch (error) {
    // It came while something was opened: as later, that is no failure of a daemon.
    if (signal.aborted && error === signal.reason) return EXIT.DONE;
    throw error;
  }
});

/** One that only takes events into a file asks nobody, unless a topic of SNS is confirmed: it is spared 100 ms and 4 MB. */
function mayAskByTls({ role, queue, topic }: WebhookConfig): boolean {
  return role !== 'receive' || queue !== undefined || topic.length > 0;
}
