import type { Command } from '../command.ts';

/** `isync backup list|restore|verify|prune|mark|unmark`. */
export const backCommands: readonly Command[] = [];
