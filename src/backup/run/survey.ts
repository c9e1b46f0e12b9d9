import type { Log } from '../../model/log.ts';
import { type Catalogue, readCatalogue } from '../catalogue/catalogue.ts';
import { type Standing, standingsOf } from '../catalogue/standing.ts';
import type { BackupJob } from '../job.ts';
import { highestVersionIn } from '../names/backup-name.ts';
import type { JobState } from '../state/job-state.ts';
import type { BackupTarget } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';
import { claimJob } from './claim.ts';

/** A target that can be used in this run, and what it has. */
export interface Surveyed {
  readonly target: BackupTarget;
  readonly catalogue: Catalogue;
  /** The newest first. */
  readonly standings: readonly Standing[];
  /** It was another machine's until this run. */
  readonly isAdopted: boolean;
  /** Highest version that anything there has ever had. */
  readonly highest: number;
}

export interface SurveyOptions {
  readonly job: Pick<BackupJob, 'name' | 'nameTemplate'>;
  readonly state: JobState;
  readonly isAdopting: boolean;
  readonly isDryRun: boolean;
  readonly nowMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onRetry: () => void;
}

/** Looks at what a target has, and claims it. Rejects where that can't be told, with FENCED where it is another machine's. */
export async function survey(target: BackupTarget, options: SurveyOptions): Promise<Surveyed> {
  const { job, state, signal } = options;
  const attempts = { log: options.log.with({ target: target.name }), signal, onRetry: options.onRetry };
  const catalogue = await readCatalogue(target, { ...attempts, cache: state.targets });
  const claimed = await claimJob({ ...options, target, job: job.name, catalogue, attempts });
  const keys = [...catalogue.objects.keys(), ...(await keysUnderWay(target, attempts))];
  const versions = catalogue.backups.flatMap(({ manifest }) => manifest.needs.map(({ version }) => version));
  return {
    target,
    catalogue,
    standings: standingsOf(catalogue, target.name, state.targets),
    isAdopted: claimed === 'adopted',
    highest: Math.max(0, ...versions, highestVersionIn(keys, job.nameTemplate, job.name)),
  };
}

/** What a target has by now. */
export async function surveyAgain(surveyed: Surveyed, options: SurveyOptions): Promise<Surveyed> {
  const { target } = surveyed;
  const { log, signal, onRetry, state } = options;
  const attempts = { log: log.with({ target: target.name }), signal, onRetry, cache: state.targets };
  const catalogue = await readCatalogue(target, attempts);
  return { ...surveyed, catalogue, standings: standingsOf(catalogue, target.name, state.targets) };
}

async function keysUnderWay(target: BackupTarget, attempts: AttemptOptions): Promise<string[]> {
  const { signal } = attempts;
  return await attempting(
    'list uploads',
    async () => {
      const keys: string[] = [];
      for await (const { key } of target.uploads({ signal })) keys.push(key);
      return keys;
    },
    attempts,
  );
}
