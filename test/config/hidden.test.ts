import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let file: string;
beforeEach(() => {
  file = join(temporaryFolder(), 'isync.yaml');
});

/** Everything that is told of a config file that is refused. */
function told(text: string, flags: object = {}): string {
  writeFileSync(file, text);
  const given = { root: '/datas', config: file, ...flags };
  const sources = { flags: given, environment: {}, readFile: readConfigFile };
  try {
    readConfig(SCHEMAS.scan, settingsFor('scan'), sources);
  } catch (error) {
    if (error instanceof IsyncError) return `${error.message} ${error.hint ?? ''}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

const STORE = '{ url: s3://bucket, credentials: { accessKeyId: A, secretAccessKey: ';

describe('a secret in a config file is not shown', () => {
  it.each([
    ['scan: {token: *SEKRIT}', '"*" has a meaning of its own in YAML: put quotes around the value'],
    ['scan:\n  token: *SEKRIT', 'put quotes around the value'],
    ['scan:\n  token: !SEKRIT', 'put quotes around the value'],
    ['scan:\n  token: { ignore: *SEKRIT }', 'put quotes around the value'],
    ['scan: { ignore: *.log, token: SEKRIT }', 'write "*.log" with the quotes'],
    ['scan: { ignore: !(a).raw, token: SEKRIT }', 'write "!(a).raw" with the quotes'],
    ['scan: { ignore: [*.log], token: SEKRIT }', 'write "*.log" with the quotes'],
    [`stores: { main: ${STORE}!SEKRIT12 }}}`, 'put quotes around the value'],
    ['scan:\n  token: !e!SEKRIT', 'is not YAML: A tag has no meaning (2:'],
    ['scan:\n  token: |SEKRIT', 'is not YAML: Block scalar header includes extra characters (2:'],
    ['scan:\n  token: "\\USEKRIT12"', 'is not YAML: Invalid escape sequence (2:'],
    ['scan: {token: x}SEKRIT', 'is not YAML: '],
    ['scan: {token:SEKRIT}', 'token…: is no setting of "scan"'],
    ['{token=SEKRIT}', 'token…: is no section of a config file'],
  ])('in %j', (text, message) => {
    const all = told(text, { to: 'store:main' });
    expect(all).toContain(message);
    expect(all).not.toContain('SEKRIT');
  });

  it.each([
    ['credentials: SEKRIT123', 'credentials: is no map of settings'],
    ['credentials: [SEKRIT123]', 'credentials: is no map of settings'],
    ['credentials: { SEKRIT123 }', 'has a setting that is none of accessKeyId, secretAccessKey'],
    ['credentials: { secretAccessKey=SEKRIT }', 'has a setting that is none of'],
    ['credentials: { accessKey: SEKRIT }', 'has no setting "accessKey"; did you mean "accessKeyId"?'],
    ['secret:SEKRIT: x', 'has no setting "secret…"'],
    ['endpoint: https://s3.example/?sig=SEKRIT', 'endpoint: "https://s3.example/?(hidden)" has a "?"'],
  ])('of a store with "%s"', (line, message) => {
    const text = `stores:\n  main:\n    url: s3://bucket\n    ${line}\n`;
    for (const all of [
      told(text, { to: 'store:main' }),
      told(text.replace('stores:\n  main:', 'scan:\n  to:')),
    ]) {
      expect(all).toContain(message);
      expect(all).not.toContain('SEKRIT');
    }
  });
});

describe('an address is shown without what it may not have', () => {
  it.each([
    ['ws://h/?token=SEKRIT#SEKRIT', '"ws://h/?(hidden)" has a "?" or "#" part'],
    ['ws://h/#SEKRIT', '"ws://h/?(hidden)" has'],
    ['wss://me:SEKRIT@h/?x', '"wss://(hidden)@h/?(hidden)" holds a user name'],
    ['ws://me:SEK?SEKRIT@h', '"ws://(hidden)@h" '],
    ['ws://[h/?token=SEKRIT', '"ws://[h/?(hidden)" is no URL'],
    ['ws:h/?token=SEKRIT', 'did you mean ws://h/?(hidden)?'],
    ['ws:me:SEKRIT@h', 'did you mean ws://(hidden)@h?'],
    ['s3://bucket?sig=SEKRIT', '"s3://bucket?(hidden)" has'],
    ['ftp://h/?SEKRIT', '"ftp://h/?(hidden)" has the scheme'],
  ])('%s', (to, message) => {
    expect(told('', { to })).toContain(message);
    expect(told('', { to })).not.toContain('SEKRIT');
    expect(told('', { to: [to, to] })).not.toContain('SEKRIT');
    expect(told(`scan: { to: "${to}" }`)).not.toContain('SEKRIT');
  });
});
