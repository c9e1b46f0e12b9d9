import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { unitText } from '../../src/cli/init/unit.ts';
import { lacks } from '../../harness/tools.ts';
import { temporaryFolder } from './temporary-folder.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
/** As "systemd-analyze security" counts, from 0 to 10. */
const MOST_EXPOSURE = 2;
const units = readdirSync(DEPLOY).filter((name) => name.endsWith('.service'));
const without = lacks('systemd-analyze');

describe.each(units)('deploy/%s', (name) => {
  const text = readFileSync(join(DEPLOY, name), 'utf8');

  it('starts a command line that is one', async () => {
    const [, line = ''] = /^ExecStart=\/usr\/bin\/isync (.*)$/m.exec(text) ?? [];
    expect(await parseCommandLine(line.split(' '), '0')).toBeDefined();
  });

  it('never gives up, waits for the network, and tells when it serves', () => {
    for (const setting of [
      'StartLimitIntervalSec=0',
      'Restart=always',
      'After=network-online.target',
      'Type=notify',
    ])
      expect(text.split('\n')).toContain(setting);
  });

  // Where isync is not installed, what is started is another program.
  it.skipIf(without)('is clean, and exposes no more than it must', () => {
    expect(exposureOf(name, text.replaceAll('/usr/bin/isync', '/bin/true'))).toBeLessThanOrEqual(
      MOST_EXPOSURE,
    );
  });
});

describe.each(['receive', 'scan'] as const)('the unit of isync init for %s', (command) => {
  it.skipIf(without)('is clean, and exposes no more than it must', () => {
    const facts = { command, config: '/etc/isync/its 100%.yaml', credential: '/etc/isync/secret' };
    const text = unitText({ ...facts, user: 'root', folder: '/srv/my data' });
    expect(text).toContain(`--config "/etc/isync/its 100%%.yaml"`);
    expect(text).toContain('ReadWritePaths="/srv/my data"');
    expect(text).not.toMatch(/\/srv\/isync|\/datas|\/usr\/bin\/isync/);
    expect(exposureOf(`isync-${command}.service`, text)).toBeLessThanOrEqual(MOST_EXPOSURE);
  });
});

/** Of a unit that is clean. */
function exposureOf(name: string, text: string): number {
  const unit = join(temporaryFolder(), name);
  writeFileSync(unit, text);
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  const told = execFileSync('systemd-analyze', ['security', '--offline=yes', unit], { encoding: 'utf8' });
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(told)?.[1]);
}
