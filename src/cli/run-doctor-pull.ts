import { pullSchema } from '../config/schemas/pull.ts';
import { pullChecks } from './doctor/pull.ts';
import { tellChecks } from './doctor/tell.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { refuseSource } from './run-pull.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const doctorOfPull = lastingCommand(pullSchema, FINISHING, async (given) => {
  trustSystemCas();
  refuseSource(given.config);
  return await tellChecks(given.output, pullChecks(given));
});
