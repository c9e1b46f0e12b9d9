import { expect, it } from 'vitest';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

it('parks what is no event where its queue is elsewhere than its state', async () => {
  await using stage = await startWebhookStage();
  await stage.configure({ role: 'receive', queue: stage.at('queue.db'), state: stage.at('state') });
  await using webhook = await stage.start();
  expect(await webhook.post('{"no": "event"}')).toMatchObject({ status: 200 });
  expect((await stage.run('parked', 'list')).stdout).toContain('EVENT_INVALID');
});
