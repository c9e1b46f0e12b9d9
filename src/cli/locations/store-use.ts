import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import type { S3Settings } from '../../config/s3-settings.ts';
import type { Log } from '../../model/log.ts';

/** Rules for what is kept, by the names of the settings; each is for the kinds of store that `isync receive` takes it for. */
type StoreRules = Pick<ReceiveConfig, 'immutable' | 'minFree' | 'maxFileSize' | 'quota'> & {
  /** Whether each seal is written down, for directories that may go by age. */
  readonly recordSeals: boolean;
};

/** What a store may be opened with besides its address. */
export type StoreSettings = Partial<S3Settings & StoreRules>;

export interface StoreUse {
  /** Makes and collects nothing, for commands that only look. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Ends the opening. */
  readonly signal: AbortSignal;
  /** Ends all that still waits for the store. */
  readonly cut: AbortSignal;
  readonly log: Log;
}
