import type { BenchCase } from '../bench.ts';
import { BACKLOG_CASES } from './backlog.ts';
import { BACKUP_CASES } from './backup.ts';
import { COPY_CASES } from './copy.ts';
import { FETCH_CASES } from './fetch.ts';
import { FLEET_CASES } from './fleet.ts';
import { LATENCY_CASES } from './latency.ts';
import { LOOPBACK_CASES } from './loopback.ts';
import { MIRROR_FILL_CASES } from './mirror-fill.ts';
import { MIRROR_WARM_CASES } from './mirror-warm.ts';
import { PULL_CASES } from './pull.ts';
import { PULL_POISON_CASES } from './pull-poison.ts';
import { RESTART_CASES } from './restart.ts';
import { S3_CASES } from './s3.ts';
import { S3_RECEIVERS_CASES } from './s3-receivers.ts';
import { STARTUP_CASES } from './startup.ts';
import { STATUS_CASES } from './status.ts';
import { WAN_CASES } from './wan.ts';
import { WAN_TEXT_CASES } from './wan-text.ts';
import { WEBHOOK_ACCEPT_CASES } from './webhook-accept.ts';

/** In the order they are run and stand in the table. */
export const CASES: readonly BenchCase[] = [
  ...LOOPBACK_CASES,
  ...FETCH_CASES,
  ...WAN_CASES,
  ...WAN_TEXT_CASES,
  ...LATENCY_CASES,
  ...RESTART_CASES,
  ...BACKLOG_CASES,
  ...FLEET_CASES,
  ...STATUS_CASES,
  ...S3_CASES,
  ...S3_RECEIVERS_CASES,
  ...PULL_CASES,
  ...PULL_POISON_CASES,
  ...WEBHOOK_ACCEPT_CASES,
  ...COPY_CASES,
  ...MIRROR_WARM_CASES,
  ...MIRROR_FILL_CASES,
  ...BACKUP_CASES,
  ...STARTUP_CASES,
];
