import { mirrorSchema } from '../config/schemas/mirror.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { serve } from './mirror/serve.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const runMirror = lastingCommand(mirrorSchema, FINISHING, async (given) => {
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
