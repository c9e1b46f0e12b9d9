import { faultText } from '../check/probe.ts';
import { isStoreUp, type StoreHealth } from '../check/store-health.ts';

/** Which stores can't be used, in one line for whoever asks for the health of the daemon; undefined: none. */
export function storesDown(stores: readonly StoreHealth[]): string | undefined {
  const down = stores.filter((store) => !isStoreUp(store));
  if (down.length === 0) return undefined;
  return down
    .map(({ store, endpoints }) => `${store} can not be used (${endpoints.map(faultText).join('; ')})`)
    .join(', ');
}
