import { pullSchema } from '../config/schemas/pull.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';

export const runPull = lastingCommand(pullSchema, FINISHING, async () => EXIT.DONE);
