import type { Command } from '../command.ts';

/** `isync backup daemon|check`. */
export const daemonCommands: readonly Command[] = [];
