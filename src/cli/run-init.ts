import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type InitConfig, initSchema, OWN_HOST, parseName } from '../config/schemas/init.ts';
import { parseJoinLine } from '../config/join-line.ts';
import { IsyncError } from '../model/isync-error.ts';
import { briefCommand } from './brief-command.ts';
import { knownNames } from './init/certificate.ts';
import { initDevice } from './init/device.ts';
import { keptSettings } from './init/kept-settings.ts';
import { Questions } from './init/questions.ts';
import { initServer } from './init/server.ts';

export const runInit = briefCommand(initSchema, async ({ config, output }) => {
  using questions = new Questions();
  const settings =
    config.settings ?? (process.getuid?.() === 0 ? '/etc/isync' : join(homedir(), '.config/isync'));
  const role = config.role ?? (config.join === undefined ? await askRole(questions) : 'device');
  if (role === 'server') {
    const kept = keptSettings(join(settings, 'receive.yaml'), 'receive');
    const store =
      config.where ??
      kept['store'] ??
      resolve(await questions.ask('Where are files to be kept?', '/srv/isync', '--where'));
    const host =
      config.name ??
      knownNames(settings)[0] ??
      named(await questions.ask('Under which name do devices reach this machine?', OWN_HOST, '--name'));
    return output.done(await initServer({ store, host, settings }, config, output));
  }
  const line = config.join ?? (await askLine(questions));
  const root =
    config.where ??
    resolve(await questions.ask('Which folder holds the data directories?', '/datas', '--where'));
  const device =
    config.name ??
    line.device ??
    named(await questions.ask('What is this device called?', OWN_HOST, '--name'));
  return output.done(await initDevice({ root, device, settings, join: line }, config, output));
});

/** A name that was typed. @throws IsyncError USAGE */
function named(text: string): string {
  try {
    return parseName(text);
  } catch (error) {
    throw new IsyncError('USAGE', `"${text}" ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function askRole(questions: Questions): Promise<NonNullable<InitConfig['role']>> {
  const answer = await questions.ask('Is this a device, or the server?', 'device', '--role');
  if (answer === 'device' || answer === 'server') return answer;
  throw new IsyncError('USAGE', `"${answer}" is neither "device" nor "server"`);
}

async function askLine(questions: Questions): Promise<NonNullable<InitConfig['join']>> {
  const text = await questions.ask('The line that "isync init" has printed on the server:', '', '--join');
  try {
    return parseJoinLine(text);
  } catch (error) {
    throw new IsyncError('USAGE', `the line ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
