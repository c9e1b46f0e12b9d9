import { showAddress, type StoreAddress } from '../../config/target-address.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { newBoard } from './new-board.ts';

interface ReceiveSettings {
  readonly store: StoreAddress;
}

/** @param url where it listens; undefined until it does */
export function receiveBoard({ store }: ReceiveSettings, url: () => string | undefined): StatusBoard {
  const board = newBoard('receive', showAddress(store));
  board.activity = () => (url() === undefined ? 'starting' : 'idle');
  board.add(() => ({
    id: 'store',
    title: 'Store',
    facts: [
      { id: 'address', label: 'Store', value: showAddress(store) },
      { id: 'url', label: 'Listening on', value: url() ?? null },
    ],
  }));
  return board;
}
