import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type InitConfig, initSchema, OWN_HOST } from '../config/schemas/init.ts';
import { parseJoinLine } from '../config/join-line.ts';
import { IsyncError } from '../model/isync-error.ts';
import { briefCommand } from './brief-command.ts';
import { initDevice } from './init/device.ts';
import { Questions } from './init/questions.ts';
import { initServer } from './init/server.ts';

export const runInit = briefCommand(initSchema, async ({ config, output }) => {
  using questions = new Questions();
  const settings =
    config.settings ?? (process.getuid?.() === 0 ? '/etc/isync' : join(homedir(), '.config/isync'));
  const role = config.role ?? (config.join === undefined ? await askRole(questions) : 'device');
  if (role === 'server') {
    const store =
      config.where ?? resolve(await questions.ask('Where are files to be kept?', '/srv/isync', '--where'));
    const host =
      config.name ??
      (await questions.ask('Under which name do devices reach this machine?', OWN_HOST, '--name'));
    return output.done(await initServer({ store, host, settings }, config, output));
  }
  const line = config.join ?? (await askLine(questions));
  const root =
    config.where ??
    resolve(await questions.ask('Which folder holds the data directories?', '/datas', '--where'));
  const device =
    config.name ?? line.device ?? (await questions.ask('What is this device called?', OWN_HOST, '--name'));
  return output.done(await initDevice({ root, device, settings, join: line }, config, output));
});

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
    throw new IsyncError('USAGE', `the line ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
