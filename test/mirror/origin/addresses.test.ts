import { expect, it } from 'vitest';
import { isGlobalOrPrivate, isGlobalUnicast } from '../../../src/mirror/origin/http/addresses.ts';

it.each([['8.8.8.8'], ['::ffff:8.8.8.8'], ['::ffff:808:808'], ['64:ff9b::8.8.8.8'], ['2606:4700::1111']])(
  '%s is on the Internet',
  (address) => {
    expect(isGlobalUnicast(address)).toBe(true);
    expect(isGlobalOrPrivate(address)).toBe(true);
  },
);

it.each([
  ['127.0.0.1'],
  ['127.255.0.9'],
  ['::1'],
  ['10.1.2.3'],
  ['172.31.0.1'],
  ['192.168.0.1'],
  ['100.64.0.1'],
  ['fd00::1'],
  ['::ffff:127.0.0.1'],
  ['::ffff:7f00:1'],
  ['0:0:0:0:0:ffff:7f00:0001'],
  ['::FFFF:10.0.0.1'],
  ['64:ff9b::127.0.0.1'],
  ['64:ff9b::a00:1'],
])('%s is private', (address) => {
  expect(isGlobalUnicast(address)).toBe(false);
  expect(isGlobalOrPrivate(address)).toBe(true);
});

it.each([
  ['0.0.0.0'],
  ['169.254.169.254'],
  ['::ffff:169.254.169.254'],
  ['64:ff9b::a9fe:a9fe'],
  ['64:ff9b:1::8.8.8.8'],
  ['2002:7f00:1::1'],
  ['2002:808:808::1'],
  ['2001::1'],
  ['fe80::1'],
  ['fe80::1%lo'],
  ['fec0::1'],
  ['fd00:ec2::254'],
  ['100.100.100.200'],
  ['::'],
  ['::127.0.0.1'],
  ['224.0.0.1'],
  ['255.255.255.255'],
  ['ff02::1'],
  ['4000::1'],
  ['192.0.2.1'],
  ['2001:db8::1'],
  ['localhost'],
  ['0x7f.1'],
  [''],
])('%s belongs to no origin', (address) => {
  expect(isGlobalUnicast(address)).toBe(false);
  expect(isGlobalOrPrivate(address)).toBe(false);
});
