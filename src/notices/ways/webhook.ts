import type { NotifyWay } from '../rule.ts';
import type { Notice } from '../notice.ts';
import { fillTemplate, isJson } from '../template.ts';
import { type Post, post } from './post.ts';

type Webhook = Extract<NotifyWay, { readonly type: 'webhook' }>;

/** Posts the notice to any server. Where the config has a body, its fields are filled in; else it is the notice as JSON. */
export async function sendToWebhook(way: Webhook, notice: Notice, signal: AbortSignal): Promise<void> {
  await post(requestOf(way, notice), signal);
}

function requestOf({ url, headers, body }: Webhook, notice: Notice): Post {
  const text = body === undefined ? noticeJson(notice) : fillTemplate(body, notice.fields);
  const type = body === undefined || isJson(body) ? 'application/json' : 'text/plain';
  return { url, headers: { 'content-type': `${type}; charset=utf-8`, ...headers }, body: text };
}

/** A notice for programs: its fields, and its lines as a list. */
export function noticeJson({ lines, fields }: Notice): string {
  return JSON.stringify({ ...fields, lines });
}
