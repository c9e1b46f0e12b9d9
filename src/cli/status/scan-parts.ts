import { showAddress } from '../../config/target-address.ts';
import { countFact } from '../../observe/status/facts.ts';
import type { Activity, Card, Row } from '../../observe/status/report.ts';
import { StandingAlarms } from '../../observe/status/standing-alarms.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { activityOfAll } from './activity-of-all.ts';
import { newBoard } from './new-board.ts';
import type { StatusParts } from './open-status.ts';
import type { ScanStatus } from './scan-status.ts';

/** What is shown of a process that has one scan; metrics where they are asked for. */
export async function partsOfScan(scan: ScanStatus, hasMetrics: boolean): Promise<StatusParts> {
  const { board } = scan;
  const metrics = hasMetrics ? await registryOf([scan], false) : undefined;
  return { board, look: () => scan.look(), metrics, notReady: () => scan.notReady() };
}

/** What is shown of one that has a list of them: all in a table, then the cards of each; alarms and metrics say of which they are. */
export async function partsOfScans(scans: readonly ScanStatus[], hasMetrics: boolean): Promise<StatusParts> {
  const board = boardOf(scans);
  const standing = new StandingAlarms(board.alarms);
  return {
    board,
    look: () => {
      for (const scan of scans) scan.look();
      standing.set(scans.flatMap(alarmsOf));
    },
    metrics: hasMetrics ? await registryOf(scans, true) : undefined,
    notReady: () => {
      const reasons = scans.flatMap((scan) => {
        const reason = scan.notReady();
        return reason === undefined ? [] : [`${scan.config.root}: ${reason}`];
      });
      return reasons.length === 0 ? undefined : reasons.join('; ');
    },
  };
}

async function registryOf(scans: readonly ScanStatus[], isList: boolean) {
  const [prom, { measureScan, measureScans }] = await Promise.all([
    import('prom-client'),
    import('./scan-metrics.ts'),
  ]);
  const registry = new prom.Registry();
  const [only] = scans;
  if (isList) measureScans(registry, scans);
  else if (only !== undefined) measureScan(registry, only);
  return registry;
}

function boardOf(scans: readonly ScanStatus[]): StatusBoard {
  const board = newBoard('scan', scans.map(({ config: { root } }) => root).join(', '));
  const activities = (): Activity[] => scans.map((scan) => scan.board.activity());
  board.activity = () => activityOfAll(activities());
  board.add(() => scansCard(scans, activities()));
  for (const [index, scan] of scans.entries())
    for (const card of scan.board.cards) board.add(() => cardOf(card(), index, scan));
  return board;
}

/** The same card beside those of other scans. */
function cardOf(card: Card, index: number, { config: { root } }: ScanStatus): Card {
  return { ...card, id: `${card.id}_${index + 1}`, title: `${card.title}: ${root}` };
}

function scansCard(scans: readonly ScanStatus[], activities: readonly Activity[]): Card {
  const failing = scans.filter((scan) => scan.notReady() !== undefined).length;
  return {
    id: 'scans',
    title: 'Scans',
    facts: [countFact('count', 'Scans', scans.length), countFact('not_ready', 'That can not send', failing)],
    table: {
      columns: [
        { id: 'root', label: 'Root' },
        { id: 'to', label: 'To' },
        { id: 'device', label: 'Device' },
        { id: 'activity', label: 'It is' },
        { id: 'files', label: 'Files since start', unit: 'count' },
        { id: 'backlog_files', label: 'Files that wait', unit: 'count' },
        { id: 'backlog_bytes', label: 'Bytes that wait', unit: 'bytes' },
        { id: 'problems', label: 'Problems', unit: 'count' },
      ],
      rows: scans.map((scan, index) => rowOf(scan, activities[index] ?? 'starting')),
      total: scans.length,
    },
  };
}

function rowOf(scan: ScanStatus, activity: Activity): Row {
  const { config, view, board } = scan;
  return {
    key: config.root,
    cells: [
      config.root,
      showAddress(config.to),
      config.device,
      activity,
      scan.files,
      view?.waiting.files ?? 0,
      view?.waiting.bytes ?? 0,
      view?.problemCount ?? 0,
    ],
    ...(board.alarms.count > 0 && { alarmed: true }),
  };
}

/** The alarms of a scan beside those of others. */
function alarmsOf({ board, config: { root } }: ScanStatus): RaisedAlarm[] {
  return board.alarms
    .all()
    .map((alarm) => ({ ...alarm, subject: alarm.subject === '' ? root : `${root}: ${alarm.subject}` }));
}
