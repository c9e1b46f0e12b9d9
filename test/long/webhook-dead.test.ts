import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { BROKERS, startEventBroker } from '../../harness/event-broker.ts';
import { startWebhookStage, type WebhookStage } from '../../harness/webhook-stage.ts';

const ATTEMPTS = 3;
const KEYS = ['bad', 'worse'];

const runsOf = (stage: WebhookStage, key: string): number => {
  try {
    return readFileSync(stage.at('told'), 'utf8')
      .split('\n')
      .filter((line) => line === key).length;
  } catch {
    return 0;
  }
};

describe('what fails for good is dead after --attempts, whichever workers had it', () => {
  it.for(['file', ...BROKERS] as const)(
    'and is listed, shown, dropped and taken again: a queue of the form %s',
    async (form, { skip }) => {
      await using broker = form === 'file' ? undefined : await startEventBroker(form);
      if (form !== 'file' && broker === undefined) return skip(`no broker here: ${form}`);
      await using stage = await startWebhookStage();
      const script = await stage.script(`echo "$2" >> '${stage.at('told')}'; [ -e '${stage.at('mended')}' ]`);
      const queue = broker === undefined ? {} : { queue: `${broker.url}/dead` };
      await stage.configure({ script, attempts: ATTEMPTS, ...queue });
      {
        await using receiver = await stage.start(['--role', 'receive']);
        for (const key of KEYS) {
          const body = cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key });
          expect(await receiver.post(body)).toMatchObject({ status: 200 });
        }
        expect((await receiver.process.stop('SIGTERM')).exitCode).toBe(0);
      }
      const workUntil = async (what: string, isSo: () => boolean): Promise<void> => {
        await using worker = await stage.start(['--role', 'work']);
        await worker.process.until(what, isSo);
        expect((await worker.process.stop('SIGTERM')).exitCode).toBe(0);
      };
      while ((await stage.counts()).dead < KEYS.length) {
        const wanted = KEYS.map((key) => Math.min(ATTEMPTS, runsOf(stage, key) + 1));
        await workUntil('another failure of each', () =>
          KEYS.every((key, at) => runsOf(stage, key) >= wanted[at]!),
        );
      }
      expect(KEYS.map((key) => runsOf(stage, key))).toEqual([ATTEMPTS, ATTEMPTS]);

      const listed = (await stage.run('queue', 'dead', 'list')).stdout.trim().split('\n');
      for (const line of listed) expect(line).toMatch(/ photos\/(bad|worse): .*1/);
      const idOf = (key: string): string =>
        listed.find((line) => line.includes(`photos/${key}: `))?.split(' ')[0] ?? '';
      const shown = await stage.run('queue', 'dead', 'show', idOf('bad'), '--json');
      expect(JSON.parse(shown.stdout)).toMatchObject({ id: idOf('bad'), exitCode: 0 });
      expect((await stage.run('queue', 'dead', 'drop', idOf('worse'))).stdout).toContain('1 message dropped');
      await writeFile(stage.at('mended'), '');
      const replayed = await stage.run('queue', 'dead', 'replay', 'all');
      expect(replayed.stdout).toContain('1 message put back');
      await workUntil('it to be taken again', () => runsOf(stage, 'bad') === ATTEMPTS + 1);
      expect(await stage.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
      expect(runsOf(stage, 'worse')).toBe(ATTEMPTS);
    },
  );
});
