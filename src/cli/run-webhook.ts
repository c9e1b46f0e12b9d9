import { webhookSchema } from '../config/schemas/webhook.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';
import { serve } from './webhook/serve.ts';

export const runWebhook = lastingCommand(webhookSchema, FINISHING, async (given) => {
  const { signal } = given;
  trustSystemCas();
  try {
    return await serve(given);
  } catch (error) {
    // It came while something was opened: as later, that is no failure of a daemon.
    if (signal.aborted && error === signal.reason) return EXIT.DONE;
    throw error;
  }
});
