import { createHmac } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import type { Notice } from '../notice.ts';
import { cutTo, json, post, shown } from './post.ts';

/** Bytes of UTF-8 that a text may have: https://developer.work.weixin.qq.com/document/path/91770 */
const WECOM_BYTES = 2048;
/** https://open.dingtalk.com/document/robots/custom-robot-access: a message, all of it, is 20,000 bytes at most. */
const DINGTALK_BYTES = 16 * 1024;
/** https://docs.slack.dev/reference/methods/chat.postMessage: 40,000 characters; from 4,000 on it is split. */
const SLACK_BYTES = 4000;

/** A robot of a WeCom group. */
export async function sendToWecom(url: string, notice: Notice, signal: AbortSignal): Promise<void> {
  const answer = await post(
    { url, ...json({ msgtype: 'text', text: { content: cutTo(textOf(notice), WECOM_BYTES) } }) },
    signal,
  );
  checkErrcode('WeCom', answer);
}

/**
 * A robot of a DingTalk group.
 * @param nowMs for the signature, which is good for an hour
 */
export async function sendToDingtalk(
  { url, secret }: { readonly url: string; readonly secret: string | undefined },
  notice: Notice,
  signal: AbortSignal,
  nowMs = Date.now(),
): Promise<void> {
  const answer = await post(
    {
      url: secret === undefined ? url : signed(url, secret, nowMs),
      ...json({ msgtype: 'text', text: { content: cutTo(textOf(notice), DINGTALK_BYTES) } }),
    },
    signal,
  );
  checkErrcode('DingTalk', answer);
}

/** An incoming webhook of Slack, or of what speaks the same (Mattermost, Rocket.Chat). */
export async function sendToSlack(url: string, notice: Notice, signal: AbortSignal): Promise<void> {
  // https://docs.slack.dev/messaging/formatting-message-text: these three are markup.
  const text = cutTo(textOf(notice), SLACK_BYTES).replace(/[&<>]/g, (sign) => ESCAPED[sign] ?? sign);
  await post({ url, ...json({ text }) }, signal);
}

const ESCAPED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** https://open.dingtalk.com/document/robots/customize-robot-security-settings */
function signed(url: string, secret: string, nowMs: number): string {
  const sign = createHmac('sha256', secret).update(`${nowMs}\n${secret}`).digest('base64');
  const address = new URL(url);
  address.searchParams.set('timestamp', String(nowMs));
  address.searchParams.set('sign', sign);
  return address.href;
}

export function textOf({ title, lines }: Notice): string {
  return [title, ...lines].join('\n');
}

/** Both answer 200 whatever happens; an `errcode` of 0 alone says that the message was taken. */
function checkErrcode(robot: string, answer: string): void {
  const errcode = fieldOf(answer, 'errcode');
  if (errcode === 0) return;
  const said = fieldOf(answer, 'errmsg');
  const why =
    typeof errcode === 'number'
      ? ` errcode ${errcode}${shown(typeof said === 'string' ? said : '')}`
      : ` no errcode${shown(answer)}`;
  throw new IsyncError('NOTICE_FAILED', `${robot} has answered${why}`);
}

function fieldOf(answer: string, name: string): unknown {
  try {
    const parsed: unknown = JSON.parse(answer);
    return typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined;
  } catch {
    return undefined;
  }
}
