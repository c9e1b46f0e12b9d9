import type { Command, OptionTable } from '../../src/cli/command.ts';
import { COMMANDS, commandsOf, SECTIONS, settingsOf } from '../../src/cli/commands/list.ts';
import type { CommandSettings } from '../../src/config/sources.ts';
import { backupSchema } from '../../src/config/schemas/backup.ts';
import { expireSchema } from '../../src/config/schemas/expire.ts';
import { fetchSchema } from '../../src/config/schemas/fetch.ts';
import { initSchema } from '../../src/config/schemas/init.ts';
import { lsSchema } from '../../src/config/schemas/ls.ts';
import { mirrorSchema } from '../../src/config/schemas/mirror.ts';
import { pullSchema } from '../../src/config/schemas/pull.ts';
import { receiveSchema } from '../../src/config/schemas/receive.ts';
import { scanSchema } from '../../src/config/schemas/scan.ts';
import { statusSchema } from '../../src/config/schemas/status.ts';
import { tokenSchema } from '../../src/config/schemas/token.ts';
import { verifySchema } from '../../src/config/schemas/verify.ts';
import { webhookSchema } from '../../src/config/schemas/webhook.ts';

/** By section of the config file. */
export const SCHEMAS = {
  scan: scanSchema,
  receive: receiveSchema,
  token: tokenSchema,
  verify: verifySchema,
  expire: expireSchema,
  ls: lsSchema,
  fetch: fetchSchema,
  pull: pullSchema,
  webhook: webhookSchema,
  mirror: mirrorSchema,
  backup: backupSchema,
  init: initSchema,
  status: statusSchema,
};

export type Section = keyof typeof SCHEMAS;

/** A command with this section; those of a group have the same settings. */
function commandOf(section: string): Command {
  const entry = COMMANDS.find(({ name }) => name === section);
  return commandsOf(entry!)[0]!;
}

export function settingsFor(section: Section): CommandSettings {
  return settingsOf(commandOf(section), section);
}

/** The options of each command, by section. */
export const OPTION_TABLES: Readonly<Record<string, OptionTable>> = Object.fromEntries(
  SECTIONS.map((name) => [name, commandOf(name).options]),
);
