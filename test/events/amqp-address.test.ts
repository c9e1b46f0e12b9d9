import { describe, expect, it } from 'vitest';
import { parseAmqpUrl } from '../../src/events/amqp/amqp-address.ts';
import { parseAmqpQueueUrl } from '../../src/events/queue/amqp/amqp-options.ts';

describe('the URL of a queue in AMQP', () => {
  it('names hosts, user, vhost and queue, and is told without its secret', () => {
    expect(parseAmqpUrl('amqps://u:p%40ss@a:5000/some%2Fhost/a%20b?server=b:5001', [], '')).toMatchObject({
      hosts: ['a:5000', 'b:5001'],
      user: 'u',
      pass: 'p@ss',
      vhost: 'some/host',
      isTls: true,
      name: 'a b',
      where: 'amqps://a:5000/some%2Fhost/a%20b',
    });
  });

  it('is short where nothing has another name', () => {
    expect(parseAmqpUrl('amqp://host', [], '')).toMatchObject({
      hosts: ['host:5672'],
      user: 'guest',
      pass: 'guest',
      vhost: '/',
      isTls: false,
      name: undefined,
      where: 'amqp://host',
    });
    expect(parseAmqpQueueUrl('amqp://host').name).toBe('isync');
    expect(parseAmqpQueueUrl('amqp://u@host/q')).toMatchObject({ user: 'u', pass: '', name: 'q' });
  });

  it.each([
    'amqp://',
    'no url secret',
    'http://u:secret@h/q',
    'amqp://u:secret@h/a/b/c',
    'amqp://u:secret@h//q',
    'amqp://u:secret%@h/q',
    'amqp://u:secret@h/q?queue=x',
    'amqp://u:secret@h/q#x',
    'amqp://u:secret@h/q?server=[::1]:2',
    'amqp://u:secret@[::1]/q',
    'amqp://u:secret@h/a%20b',
    `amqp://u:secret@h/${'q'.repeat(256)}`,
  ])('is refused without its secret: %s', (url) => {
    expect(() => parseAmqpQueueUrl(url)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => parseAmqpQueueUrl(url)).not.toThrow('secret');
  });
});
