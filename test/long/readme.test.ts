import { expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { inMachine, makeCertificate, ownMachineFault } from '../../harness/own-machine.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { ANSWER, linesBetween, START_UNIT } from '../../harness/typed-lines.ts';

const leftOut = [
  lacksRoot(),
  lacks('openssl'),
  lacks('python3'),
  lacks('inotifywait'),
  mayNot('make a machine of namespaces', ownMachineFault()),
].includes(true);

/** What one types who follows the README: each line as it is printed, what runs long beside the rest. */
function typed(lines: readonly string[]): string {
  return lines
    .map((line) => {
      const [plain = ''] = line.split(/\s+#/);
      if (plain.startsWith('isync receive'))
        return `${plain} &\nuntil (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done`;
      if (plain.startsWith('isync scan'))
        return `${plain} &\nuntil [ -e /datas/DC1/finished.watch ]; do sleep 0.1; done`;
      // Into the file that the next side is given.
      return plain.startsWith('isync token add')
        ? `token=$(${plain})\n(umask 077; echo "$token" > /etc/isync/token)`
        : plain;
    })
    .join('\n');
}

/** Runs a script beside a finished directory that is to arrive. Returns what it has printed. */
async function inFirstMachine(folder: string, script: readonly string[]): Promise<string> {
  const begin = ['mkdir /datas/DC1', 'echo one > /datas/DC1/a', 'touch /datas/DC1/finished.parse'];
  const end = ['cmp /datas/DC1/a /srv/isync/edge1/DC1/a', 'echo all is well'];
  return await inMachine(folder, [...begin, ...script, ...end].join('\n'));
}

test.skipIf(leftOut)(
  'README: the first pair by isync init, its lines typed as they are printed',
  async () => {
    await using folder = await temporaryFolder('readme');
    const lines = linesBetween('README.md', 'Set up the first pair', 'The same by hand');
    const [server = '', device = ''] = lines.map((line) => line.split(/\s+# /)[0]?.trim());
    expect(lines).toHaveLength(2);
    expect(device).toContain("'wss://backup.example:7400#TOKEN#FINGERPRINT#edge1'");
    const printed = device.replace(/'wss:.*'/, String.raw`'$line'`);
    const script = [
      ANSWER,
      START_UNIT,
      `answer '${server}' server '' backup.example > printed; cat printed`,
      `line=$(sed -n "s/.*isync init --join '\\(.*\\)'.*/\\1/p" printed)`,
      'start_unit isync-receive',
      'until (: </dev/tcp/127.0.0.1/7400) 2>/dev/null; do sleep 0.1; done',
      `answer "${printed}" ''`,
      'start_unit isync-scan',
      'until [ -e /datas/DC1/finished.watch ]; do sleep 0.1; done',
    ];
    expect(await inFirstMachine(folder.path, script)).toContain('all is well');
  },
);

test.skipIf(leftOut)(
  'README: the first pair by hand, with doctor, its lines typed as they are printed',
  async () => {
    await using folder = await temporaryFolder('readme');
    makeCertificate(folder.path, ['backup.example']);
    const lines = linesBetween('README.md', 'The same by hand', '### With an S3 bucket');
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'mkdir -p',
      'isync token',
      'isync receive',
      'isync scan',
      'isync verify',
      'isync expire',
      'isync ls',
      'isync fetch',
    ]);
    const operations = linesBetween(
      'docs/operations.md',
      '## Before the first start',
      '## With an S3 bucket',
    );
    const doctor = operations.filter((line) => line.startsWith('isync doctor'));
    expect(doctor).toHaveLength(2);
    expect(await inFirstMachine(folder.path, [typed(lines), ...doctor])).toContain('all is well');
  },
);
