import { describe, expect, it } from 'vitest';
import { parseOwner, resolveOwner } from '../../src/config/owner.ts';

describe('an owner', () => {
  it('is looked up on this machine when it is needed', () => {
    expect(resolveOwner(parseOwner('root'))).toEqual({ uid: 0, gid: 0 });
    expect(resolveOwner(parseOwner('root:daemon'))).toEqual({ uid: 0, gid: 1 });
    expect(resolveOwner(parseOwner('1000:2000'))).toEqual({ uid: 1000, gid: 2000 });
    expect(resolveOwner(parseOwner('root:7'))).toEqual({ uid: 0, gid: 7 });
    expect(() => resolveOwner(parseOwner('nobody-of-this-name'))).toThrow(
      'there is no user "nobody-of-this-name"',
    );
    expect(() => resolveOwner(parseOwner('0:no-such-group'))).toThrow('there is no group "no-such-group"');
  });

  it('that begins like an option is none', () => {
    expect(() => parseOwner('-x')).toThrow('is no owner');
    expect(() => parseOwner('4294967295:0')).toThrow('is too large');
  });
});
