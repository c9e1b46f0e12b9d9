import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkPermissions } from '../../src/backup/check/permissions.ts';
import { jobsOf } from '../../src/backup/jobs-of-config.ts';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { type BackupConfig, backupSchema } from '../../src/config/schemas/backup.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { MemoryTarget } from './memory-target.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const DOCS = read('docs/backup.md');
const UNIT = read('deploy/isync-backup.service');
const recipient = await identityToRecipient(await generateIdentity());

/** The blocks of a document in a language. */
function blocks(language: string): string[] {
  return [...DOCS.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text = '']) => text,
  );
}

/** A line as a shell splits it. */
function wordsOf(line: string): string[] {
  const words = line.matchAll(/(?:^|\s)#.*|'([^']*)'|"([^"]*)"|([^\s'"#]+)/g);
  return [...words].flatMap(([, single, double, plain]) => single ?? double ?? plain ?? []);
}

/** Settings as a file has them, with what it names in a folder of ours. */
function settingsOf(text: string): BackupConfig {
  const folder = temporaryFolder();
  const filled = text
    .replaceAll('RECIPIENT', recipient)
    .replaceAll('BUCKET', 'bucket')
    .replaceAll('/etc/isync/', `${folder}/`);
  for (const [, name = ''] of filled.matchAll(/file: [^ }]*\/([^ }]+)/g))
    writeFileSync(join(folder, name), 'https://example.org/\n', { mode: 0o600 });
  const file = join(folder, 'backup.yaml');
  writeFileSync(file, filled);
  const command = {
    section: 'backup',
    ownFile: true,
    sections: ['backup'],
    places: [],
    secrets: [],
    names: [],
  };
  const sources = { flags: { config: file }, environment: {}, readFile: readConfigFile };
  return readConfig(backupSchema, command, sources);
}

const commands = [DOCS, UNIT, read('README.md')].flatMap((text) =>
  [...text.matchAll(/(?:^|=\/usr\/bin\/|`|\* )(isync backup [a-z]+ [^`\n]*)/gm)].map(([, line = '']) => line),
);

describe('docs/backup.md', () => {
  it.each(commands.filter((line) => !/…|COMMAND/.test(line)))(
    'has a command line that is one: %s',
    async (line) => {
      const [, ...args] = wordsOf(line);
      expect(await parseCommandLine(args, '0')).toMatchObject({ command: { name: args[1] } });
    },
  );

  it('has some', () => {
    expect(commands.length).toBeGreaterThan(12);
  });

  it('has settings that are right', () => {
    const [first = '', databases = '', notify = ''] = blocks('yaml');
    expect(jobsOf(settingsOf(first))).toMatchObject([{ name: 'app_data', fullEveryMs: 604_800_000 }]);
    expect(settingsOf(first).stateDir).toBe(settingsOf(read('deploy/backup.yaml')).stateDir);
    const jobWith = (lines: string): string =>
      `jobs:\n  - name: app\n    to: [/mnt/usb]\n${lines.replaceAll(/^/gm, '    ').trimEnd()}\n`;
    expect(jobsOf(settingsOf(jobWith(databases)))[0]?.sources).toHaveLength(3);
    const jobs = jobsOf(settingsOf(jobWith(`sources: [/srv/app]\n${notify}`)));
    expect(jobs[0]?.notify.map(({ way }) => way.type)).toEqual([
      'wecom',
      'dingtalk',
      'slack',
      'email',
      'webhook',
      'command',
      'ping',
    ]);
  });

  it('has YAML of others that is YAML', () => {
    for (const text of blocks('yaml').slice(3)) expect(parse(text)).toBeTypeOf('object');
  });

  it('grants what a check finds to be needed, and no more', async () => {
    interface Policy {
      readonly Statement: readonly { readonly Sid: string; readonly Action: string | readonly string[] }[];
    }
    const granted = new Map<string, string[]>();
    for (const { Sid, Action } of blocks('json').flatMap((text) => (JSON.parse(text) as Policy).Statement)) {
      const who = Sid.replace('List', '');
      granted.set(who, [...(granted.get(who) ?? []), ...[Action].flat()]);
    }
    const { signal } = new AbortController();
    const checked = await checkPermissions(new MemoryTarget(), { tags: { env: 'production' }, signal });
    const needed = (by: 'run' | 'prune'): string[] =>
      checked.filter(({ neededBy }) => neededBy === by).flatMap(({ actions }) => actions);
    // Those of a lock, which takes seconds to try.
    const locks = ['s3:PutObjectRetention', 's3:GetObjectRetention'];
    expect(granted.get('Run')?.toSorted()).toEqual([...needed('run'), ...locks].toSorted());
    expect(granted.get('Prune')?.toSorted()).toEqual(needed('prune').toSorted());
  });

  it('names every setting of a job, and no other', () => {
    const table = /^\| field \|(.*?)\n\n/ms.exec(DOCS)?.[1] ?? '';
    const told = table
      .split('\n')
      .slice(2)
      .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)/g)].map(([, name = '']) => name));
    const { jobs } = settingsOf('jobs: [{ name: app, sources: [/srv/app], to: [/mnt/usb] }]');
    const optional = [
      'schedule',
      'every',
      'full',
      'encrypt',
      'keep',
      'verify',
      'before',
      'after',
      'bwlimit',
      'maxAge',
      'stateDir',
    ];
    expect(told.toSorted()).toEqual([...new Set([...Object.keys(jobs[0]!), ...optional])].toSorted());
  });
});

interface CronJob {
  readonly spec: {
    readonly concurrencyPolicy: string;
    readonly jobTemplate: {
      readonly spec: {
        readonly podFailurePolicy: { readonly rules: readonly object[] };
        readonly template: {
          readonly spec: {
            readonly restartPolicy: string;
            readonly containers: readonly {
              readonly name: string;
              readonly args: readonly string[];
              readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
            }[];
            readonly volumes: readonly {
              readonly name: string;
              readonly persistentVolumeClaim?: object;
            }[];
          };
        };
      };
    };
  };
}

function cronJob(): CronJob {
  return parse(read('deploy/isync-backup-cronjob.yaml')) as CronJob;
}

describe('deploy', () => {
  it('has settings that are right', () => {
    const config = settingsOf(read('deploy/backup.yaml'));
    expect(config.stateDir).toBe('/var/lib/isync-backup');
    expect(jobsOf(config).map(({ name }) => name)).toEqual(['app_data', 'config']);
  });

  it('has a unit that lets runs end before it kills them', () => {
    const values = new Map(
      [...UNIT.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
    );
    expect(values.get('KillMode')).toBe('mixed');
    // The daemon kills its runs after 60 s.
    expect(Number(values.get('TimeoutStopSec'))).toBeGreaterThan(60);
    expect(`/var/lib/${values.get('StateDirectory')}`).toBe(
      (parse(read('deploy/backup.yaml')) as { stateDir: string }).stateDir,
    );
  });

  it('has a unit with the line that the document tells to set', () => {
    const [, line = ''] = /`(Environment=\S+)` in the unit/.exec(DOCS)!;
    expect(UNIT.split('\n')).toContain(`# ${line}`);
  });

  it('has a CronJob that makes no backup again that was made with problems, nor tries again what needs a person', () => {
    const { podFailurePolicy, template } = cronJob().spec.jobTemplate.spec;
    const { PROBLEMS, USAGE, REFUSED } = EXIT;
    const containerName = template.spec.containers[0]!.name;
    const onExitCodes = { containerName, operator: 'In', values: [PROBLEMS, USAGE, REFUSED] };
    expect(podFailurePolicy).toEqual({ rules: [{ action: 'FailJob', onExitCodes }] });
    // Kubernetes takes no such policy with another one.
    expect(template.spec.restartPolicy).toBe('Never');
  });

  it('has a CronJob that runs one job at a time, and keeps its state', async () => {
    const { spec } = cronJob();
    expect(spec.concurrencyPolicy).toBe('Forbid');
    const { containers, volumes } = spec.jobTemplate.spec.template.spec;
    const [container] = containers;
    expect(await parseCommandLine(container!.args.slice(1), '0')).toMatchObject({
      words: { job: 'app_data' },
    });
    expect(container!.volumeMounts.map(({ name }) => name)).toEqual(volumes.map(({ name }) => name));
    const state = container!.volumeMounts.find(({ mountPath }) => mountPath === '/var/lib/isync-backup');
    expect(volumes.find(({ name }) => name === state?.name)).toHaveProperty('persistentVolumeClaim');
  });
});
