import { mirrorSchema } from '../config/schemas/mirror.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { fill } from './mirror/fill.ts';
import { report } from './mirror/report.ts';
import { verify } from './mirror/verify.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const runMirrorFill = lastingCommand(mirrorSchema, FINISHING, async (given) => {
  trustSystemCas();
  return await fill(given);
});

export const runMirrorVerify = lastingCommand(mirrorSchema, 'stopping', async (given) => {
  trustSystemCas();
  return await verify(given);
});

export const runMirrorReport = lastingCommand(mirrorSchema, 'stopping', async (given) => {
  trustSystemCas();
  return await report(given);
});
