import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { debFileName, makeDebPackages } from '../../harness/deb-packages.ts';
import { otherRootFault } from '../../harness/other-root.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { FIRST_ADDRESS, TwoHosts, twoHostsFault } from '../../harness/two-hosts.ts';
import { ANSWER, linesBetween, START_UNIT } from '../../harness/typed-lines.ts';

const VERSION = '0.1.0';

const leftOut = [
  lacksRoot(),
  lacks('inotifywait'),
  lacks('openssl'),
  mayNot('enter another root', otherRootFault()),
  mayNot('join two hosts', twoHostsFault()),
].includes(true);

test.skipIf(leftOut)(
  'from dpkg -i on two hosts to a pair that is encrypted, authenticated, run by users of its own and watched, by the lines of README',
  async () => {
    await using folder = await temporaryFolder('pair');
    const hosts = new TwoHosts(folder.path);
    await makeDebPackages(folder.path, { out: folder.path, versions: [VERSION] });
    for (const stage of hosts.stages)
      execFileSync('cp', [join(folder.path, debFileName(VERSION)), `${stage}/`]);
    const lines = linesBetween('README.md', 'Set up the first pair', 'The same by hand');
    const [onServer = '', onDevice = ''] = lines.map((line) => line.split(/\s+# /)[0]?.trim());
    expect(onDevice).toContain("'wss://backup.example:7400#TOKEN#FINGERPRINT#edge1'");
    const [status = ''] = linesBetween('README.md', '### Is all well?', '### What it looks at').map((line) =>
      line.split(/\s+# /)[0]?.trim(),
    );
    expect(status).toBe('isync status');
    const begin = [`dpkg --force-unsafe-io -i /stage/${debFileName(VERSION)}`, ANSWER, START_UNIT];
    const server = [
      ...begin,
      `answer '${onServer}' server '' backup.example > /stage/printed; cat /stage/printed`,
      'start_unit isync-receive',
      'until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done',
      `sed -n "s/.*isync init --join '\\(.*\\)'.*/\\1/p" /stage/printed > /stage/told`,
      'until [ -e /stage/over ]; do sleep 0.1; done',
      `${status} > /stage/status`,
      'cmp <(echo one) /srv/isync/edge1/DC1/a',
    ];
    const device = [
      ...begin,
      `echo '${FIRST_ADDRESS} backup.example' >> /etc/hosts`,
      'useradd parser; install -d -o parser -g parser /datas /datas/DC1',
      `setpriv --reuid parser --regid parser --clear-groups sh -c 'cd /datas/DC1; echo one > a; touch finished.parse'`,
      'line=$(cat /stage/told)',
      `answer "${onDevice.replace(/'wss:.*'/, "'$line'")}" ''`,
      'start_unit isync-scan',
      'until [ -e /datas/DC1/finished.watch ]; do sleep 0.1; done',
      status,
      // Also of the first host: they have their processes in common.
      String.raw`ps -eo user=,args= | sed -n 's|^\([^ ]*\) */usr/lib/isync/bin/node .*|\1|p' | sort -u > /stage/users`,
      'echo all is well',
    ];
    const { exitCode, output } = await hosts.run(server.join('\n'), device.join('\n'));
    expect(output).toContain('all is well');
    expect(exitCode).toBe(0);
    const told = readFileSync(join(hosts.stages[0], 'status'), 'utf8');
    expect(told).toContain('edge1');
    expect(output).toContain('backup.example');
    expect(readFileSync(join(hosts.stages[1], 'users'), 'utf8')).toBe('isync\nparser\n');
  },
);
