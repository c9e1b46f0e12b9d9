import { z } from 'zod';

const POLICY = z.object({ maxReceiveCount: z.coerce.number().int().positive() });

/** Why a redrive policy and `unmatched: release` do not go together well. */
export const REDRIVE_HINT =
  'Messages for other machines, which are given back, go that way too: give each machine its own queue, or say "unmatched: discard".';

/** Why a FIFO queue and `unmatched: release` do not go together: a message that is given back would hold up those behind it. */
export const FIFO_NOTE =
  'is FIFO: a message with keys below no prefix is deleted, for it can not be given back';
export const FIFO_HINT =
  'Give each machine its own queue; where this one has no other reader, say "unmatched: discard".';

/** After how many deliveries a queue with this policy moves a message elsewhere; undefined where the policy does not say. */
export function maxDeliveriesOf(policy: string | undefined): number | undefined {
  if (policy === undefined || policy === '') return undefined;
  try {
    const parsed = POLICY.safeParse(JSON.parse(policy));
    return parsed.success ? parsed.data.maxReceiveCount : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
