/** What somebody is told of. `success` is told after every complete run; a ping is always told of each start and end. */
export const OCCASIONS = [
  'start',
  'success',
  'problems',
  'failure',
  'overdue',
  'recovered',
  'verified',
  /** A data directory is sealed, or has arrived sealed. */
  'seal',
  /** Something needs a person, or does so no longer. */
  'problem',
  'solved',
] as const;

export type Occasion = (typeof OCCASIONS)[number];

export interface NotifyRule {
  /** For log and metrics, without secrets: `notify[0] wecom`. */
  readonly name: string;
  readonly on: ReadonlySet<Occasion>;
  readonly way: NotifyWay;
  /** How often it is tried. Default: three times, over a quarter of an hour. */
  readonly tries?: number | undefined;
}

export type NotifyWay =
  | {
      readonly type: 'webhook';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Body with `{field}`; undefined: the notice as JSON. */
      readonly body: string | undefined;
    }
  | { readonly type: 'slack'; readonly url: string }
  | { readonly type: 'wecom'; readonly url: string }
  | { readonly type: 'dingtalk'; readonly url: string; readonly secret: string | undefined }
  | {
      readonly type: 'email';
      readonly host: string;
      readonly port: number;
      /** `tls`: from the first byte; `starttls`: required; `none`. */
      readonly security: 'tls' | 'starttls' | 'none';
      readonly user: string | undefined;
      readonly password: string | undefined;
      readonly from: string;
      readonly to: readonly string[];
    }
  /** The notice is on its stdin, as JSON. */
  | { readonly type: 'command'; readonly command: readonly string[] }
  /** As healthchecks.io takes it: `URL/start`, `URL`, `URL/fail`, each with `rid=`. */
  | { readonly type: 'ping'; readonly url: string };
