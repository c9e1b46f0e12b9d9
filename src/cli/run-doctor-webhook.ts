import { webhookSchema } from '../config/schemas/webhook.ts';
import { tellChecks } from './doctor/tell.ts';
import { webhookChecks } from './doctor/webhook.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const doctorOfWebhook = lastingCommand(webhookSchema, FINISHING, async (given) => {
  trustSystemCas();
  return await tellChecks(given.output, webhookChecks(given));
});
