import { mirrorSchema } from '../config/schemas/mirror.ts';
import { mirrorChecks } from './doctor/mirror.ts';
import { tellChecks } from './doctor/tell.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const doctorOfMirror = lastingCommand(mirrorSchema, FINISHING, async (given) => {
  trustSystemCas();
  return await tellChecks(given.output, mirrorChecks(given));
});
