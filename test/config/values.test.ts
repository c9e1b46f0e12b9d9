import { describe, expect, it } from 'vitest';
import { closest } from '../../src/config/closest.ts';
import { defaultDevice } from '../../src/config/default-device.ts';
import { parseTargetAddress } from '../../src/config/target-address.ts';
import {
  parseBoolean,
  parseBytes,
  parseCount,
  parseDuration,
  parseHostPort,
  parseRate,
  splitList,
} from '../../src/config/values.ts';
import { parseDeviceName } from '../../src/model/device-name.ts';

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['10B', 10],
    ['500kB', 500_000],
    ['2MB', 2_000_000],
    ['10MiB', 10_485_760],
    ['1.5GiB', 1_610_612_736],
    ['1 TB', 1e12],
  ])('reads %s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each(['', 'many', '10Mb', '10M', '-1', '1e3', '10MiBs', '99999999TiB', '0x10', '1,5MB', '1toString'])(
    'refuses "%s"',
    (text) => expect(() => parseBytes(text)).toThrow(/is no size like/),
  );

  it('refuses one below the least that makes sense', () => {
    expect(() => parseBytes('0', 1)).toThrow('is too small');
  });
});

describe('rates', () => {
  it.each([
    ['1000', 1_024_000],
    ['2MB/s', 2_000_000],
    ['10MiB/s', 10_485_760],
    ['10MiB', 10_485_760],
  ])('reads %s', (text, rate) => expect(parseRate(text)).toBe(rate));

  it.each(['0', '2MB/m', '/s', 'fast', '16Mbit/s'])('refuses "%s"', (text) =>
    expect(() => parseRate(text)).toThrow(/^is /),
  );
});

describe('durations', () => {
  it.each([
    ['250', 'ms', 250],
    ['250ms', 'ms', 250],
    ['10', 's', 10_000],
    ['250ms', 's', 250],
    ['0.5s', 'ms', 500],
    ['2m', 's', 120_000],
    ['1h', 's', 3_600_000],
    ['1.5d', 'ms', 129_600_000],
    ['2d', 's', 172_800_000],
  ] as const)('reads %s with %s as the plain unit', (text, unit, ms) =>
    expect(parseDuration(text, unit)).toBe(ms),
  );

  it.each(['', 'abc', '-1s', '10 days', '25000h', '9'.repeat(400)])('refuses "%s"', (text) =>
    expect(() => parseDuration(text, 's')).toThrow(/^is /),
  );
});

describe('addresses to listen on', () => {
  it.each([
    ['127.0.0.1:7400', '127.0.0.1', 7400],
    ['localhost:0', 'localhost', 0],
    ['[::1]:0', '::1', 0],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65_535],
  ])('reads %s', (text, host, port) => expect(parseHostPort(text)).toEqual({ host, port }));

  it.each(['7400', ':7400', '::1:7400', 'host', 'host:', 'host:65536', 'host:-1', 'ws://host:1', 'a b:1'])(
    'refuses "%s"',
    (text) => expect(() => parseHostPort(text)).toThrow(/is no HOST:PORT/),
  );
});

describe('targets', () => {
  it('reads a receiver, in any case of the scheme', () => {
    expect(parseTargetAddress('WSS://backup.example:7400/x')).toMatchObject({
      kind: 'receiver',
      url: new URL('wss://backup.example:7400/x'),
    });
  });

  it.each([
    ['wss://backup.example', 'wss://backup.example:7400/'],
    ['ws://[::1]/x', 'ws://[::1]:7400/x'],
    ['wss://backup.example:443', 'wss://backup.example/'],
    ['ws://backup.example:80/x', 'ws://backup.example/x'],
  ])('takes the port of receivers where "%s" names none', (text, url) =>
    expect(parseTargetAddress(text)).toMatchObject({ url: new URL(url) }),
  );

  it('reads a folder as an absolute path', () => {
    expect(parseTargetAddress('/mnt/backup')).toEqual({ kind: 'folder', path: '/mnt/backup' });
    expect(parseTargetAddress('backup')).toEqual({ kind: 'folder', path: `${process.cwd()}/backup` });
  });

  it.each(['host:7400', 'localhost:7400', '10.0.0.5:7400', '[::1]:7400', 'backup.example:7400/'])(
    'asks for the scheme of "%s"',
    (text) => {
      const address = text.replace(/\/$/, '');
      expect(() => parseTargetAddress(text)).toThrow(
        `is no folder that is there; did you mean ws://${address} or wss://${address}?`,
      );
    },
  );

  it.each(['backup.example', '10.0.0.5'])('asks for scheme and port of "%s"', (text) => {
    expect(() => parseTargetAddress(text)).toThrow(`did you mean ws://${text}:7400 or wss://${text}:7400?`);
  });

  it.each(['ws:host:7400', 'wss:/host:7400', 's3:bucket'])('asks for the slashes of "%s"', (text) => {
    expect(() => parseTargetAddress(text)).toThrow(/lacks the "\/\/" after ".*:"; did you mean .*:\/\/[hb]/);
  });

  it.each(['backup', './backup.example', '../host:7400', 'folder.d/store', 'a b.c', '/mnt/host:7400'])(
    'takes "%s" for a folder',
    (text) => expect(parseTargetAddress(text)).toMatchObject({ kind: 'folder' }),
  );

  it('takes a folder that is there for one, whatever it is called', () => {
    expect(parseTargetAddress('package.json')).toMatchObject({ kind: 'folder' });
  });

  it.each([
    ['http://host:7400', 'the scheme "http"'],
    ['ws://', 'is no URL'],
    ['ws://host:99999', 'is no URL'],
    ['ws://user:secret@host', 'user name or password'],
    ['ws://host/?x=1', '"?" or "#"'],
    ['', 'is empty'],
  ])('refuses "%s"', (text, message) => expect(() => parseTargetAddress(text)).toThrow(message));
});

describe('small values', () => {
  it('reads yes and no in the usual words', () => {
    expect(['true', 'YES', 'on', '1'].map(parseBoolean)).toEqual([true, true, true, true]);
    expect(['false', 'No', 'off', '0'].map(parseBoolean)).toEqual([false, false, false, false]);
    expect(() => parseBoolean('maybe')).toThrow('neither true nor false');
  });

  it('reads counts from one up', () => {
    expect(parseCount('12')).toBe(12);
    for (const text of ['0', '-1', '1.5', '', '1e3', '9'.repeat(20)])
      expect(() => parseCount(text)).toThrow('is no whole number');
  });

  it('splits a list at commas, but not within braces', () => {
    expect(splitList('*.tmp, *.{part,lock},')).toEqual(['*.tmp', '*.{part,lock}']);
    expect(splitList('')).toEqual([]);
  });
});

describe('the default device name', () => {
  it.each([
    ['edge1', 'edge1'],
    ['edge1.site-a.example', 'edge1.site-a.example'],
    ['_my host!', 'my-host-'],
    ['x'.repeat(80), 'x'.repeat(64)],
  ])('is a legal one for the host "%s"', (host, device) => {
    expect(defaultDevice(host)).toBe(device);
    expect(parseDeviceName(device)).toBe(device);
  });

  it('is empty where nothing legal is left', () => {
    expect(defaultDevice('---')).toBe('');
  });
});

describe('did you mean', () => {
  it.each([
    ['setle', 'settle'],
    ['token-fle', 'token-file'],
    ['TO', 'to'],
    ['xyzzy', undefined],
    ['a', undefined],
  ])('answers %s with %s', (word, found) => {
    expect(closest(word, ['to', 'settle', 'token-file', 'ignore'])).toBe(found);
  });
});
