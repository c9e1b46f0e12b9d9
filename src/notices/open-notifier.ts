import type { NotifyRule } from './rule.ts';
import type { Notice, Notifier } from './notice.ts';
import { runNoticeCommand } from './ways/command.ts';
import { sendMail } from './ways/email.ts';
import { sendPing } from './ways/ping.ts';
import { sendToDingtalk, sendToSlack, sendToWecom } from './ways/robots.ts';
import { sendToWebhook } from './ways/webhook.ts';

/** The way of a rule, without a look at the other side. */
export function openNotifier(rule: NotifyRule): Notifier {
  return { rule, send: (notice, signal) => send(rule, notice, signal) };
}

async function send({ way }: NotifyRule, notice: Notice, signal: AbortSignal): Promise<void> {
  switch (way.type) {
    case 'webhook':
      return await sendToWebhook(way, notice, signal);
    case 'slack':
      return await sendToSlack(way.url, notice, signal);
    case 'wecom':
      return await sendToWecom(way.url, notice, signal);
    case 'dingtalk':
      return await sendToDingtalk(way, notice, signal);
    case 'email':
      return await sendMail(way, notice, signal);
    case 'command':
      return await runNoticeCommand(way.command, notice, signal);
    case 'ping':
      return await sendPing(way.url, notice, signal);
  }
}
