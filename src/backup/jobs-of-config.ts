import { join } from 'node:path';
import type { BackupJobConfig } from '../config/schemas/backup-job.ts';
import type { BackupConfig } from '../config/schemas/backup.ts';
import type { Secret } from '../config/secret.ts';
import type { NotifyRule, NotifyWay } from '../notices/rule.ts';
import type { BackupJob, BackupSource, JobSchedule, JobTarget } from './job.ts';
import { createExcludes } from './pack/exclude.ts';

/** The jobs that settings tell, secrets revealed. */
export function jobsOf({ jobs, stateDir }: Pick<BackupConfig, 'jobs' | 'stateDir'>): readonly BackupJob[] {
  return jobs.map((job) => jobOf(job, stateDir));
}

function jobOf(config: BackupJobConfig, stateDir: string): BackupJob {
  const { name, encrypt, verify, tags, timezone, before, after, bwlimit } = config;
  return {
    name,
    sources: config.sources.map(sourceOf),
    schedule: scheduleOf(config),
    timezone,
    fullEveryMs: config.full,
    to: config.to.map(targetOf),
    compress: config.compress,
    recipients: encrypt?.recipients ?? [],
    identityFile: encrypt?.identityFile,
    keep: config.keep,
    tags,
    verify: verify && { schedule: scheduleOf(verify), sampleBytes: verify.sample },
    notify: config.notify.map(notifyOf),
    before,
    after,
    bwlimit,
    jitterMs: config.jitter,
    maxAgeMs: config.maxAge,
    stateDir: config.stateDir ?? join(stateDir, name),
    spoolBytes: config.spool.max,
    nameTemplate: config.template,
  };
}

function sourceOf(source: BackupJobConfig['sources'][number]): BackupSource {
  if ('command' in source) return { kind: 'command', ...source };
  const { path, exclude, oneFilesystem, allowEmpty } = source;
  return { kind: 'folder', path, excludes: createExcludes(exclude), oneFilesystem, allowEmpty };
}

function scheduleOf({
  schedule,
  every,
}: {
  readonly schedule?: string | undefined;
  readonly every?: number | undefined;
}): JobSchedule | undefined {
  if (every !== undefined) return { kind: 'every', everyMs: every };
  return schedule === undefined ? undefined : { kind: 'cron', pattern: schedule };
}

function targetOf({ url, endpoints = [], credentials, ...given }: BackupJobConfig['to'][number]): JobTarget {
  if (url.kind === 'folder') return url;
  return {
    ...url,
    endpoints: endpoints.map(({ href }) => href),
    region: given.region,
    pathStyle: given.pathStyle,
    profile: given.profile,
    credentials: credentials && {
      accessKeyId: credentials.accessKeyId.reveal(),
      secretAccessKey: credentials.secretAccessKey.reveal(),
      sessionToken: credentials.sessionToken?.reveal(),
    },
    ca: given.ca,
    storageClass: given.storageClass,
    sse: given.sse,
    sseKmsKeyId: given.sseKmsKeyId,
    lock: given.lock,
  };
}

function notifyOf(config: BackupJobConfig['notify'][number], at: number): NotifyRule {
  const way = wayOf(config);
  return {
    name: `notify[${at}] ${way.type}`,
    on: 'on' in config ? config.on : new Set(['start', 'success', 'problems', 'failure']),
    way,
  };
}

function wayOf(config: BackupJobConfig['notify'][number]): NotifyWay {
  switch (config.type) {
    case 'webhook':
      return {
        type: config.type,
        url: config.url.reveal(),
        headers: Object.fromEntries(
          Object.entries(config.headers).map(([header, value]) => [header.toLowerCase(), value.reveal()]),
        ),
        body: config.body,
      };
    case 'slack':
    case 'wecom':
    case 'ping':
      return { type: config.type, url: config.url.reveal() };
    case 'dingtalk':
      return { type: config.type, url: config.url.reveal(), secret: revealed(config.secret) };
    case 'email': {
      const { type, host, port, security, user, from, to } = config;
      return { type, host, port, security, user, password: revealed(config.password), from, to };
    }
    case 'command':
      return { type: config.type, command: config.command };
  }
}

function revealed(secret: Secret | undefined): string | undefined {
  return secret?.reveal();
}
