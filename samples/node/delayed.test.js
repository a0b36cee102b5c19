'use strict';
// A message for two hours later, and a test that does not wait: `node --test`. Needs ali-ons, as package.json says.
const assert = require('node:assert');
const { after, before, test } = require('node:test');
const { Consumer, Message, Producer } = require('ali-ons');
const { RocketMQ } = require('./rocketmq');

const TWO_HOURS_LEVEL = 18;
const clients = [];
let rocketmq;

function options(more) {
  const quiet = () => {};
  // The constructor wants an HTTP client, though only the lookup of name servers by URL uses it.
  const httpclient = { request: async () => { throw new Error('no URL is asked'); } };
  const logger = { info: quiet, debug: quiet, warn: quiet, error: quiet };
  return { nameSrv: rocketmq.nameServer, clientIP: '127.0.0.1', httpclient, logger, ...more };
}

before(async () => { rocketmq = await RocketMQ.start(); });

after(() => {
  for (const client of clients) client.close().catch(() => {});
  rocketmq.stop();
  // The client leaves timers behind that would keep this process alive.
  setTimeout(() => process.exit(), 1000).unref();
});

test('a reminder comes after two hours', { timeout: 120_000 }, async () => {
  await rocketmq.do('createTopic', { topic: 'reminders', queues: 1 });
  const producer = new Producer(options({ producerGroup: 'reminding' }));
  clients.push(producer);
  await producer.ready();
  const reminder = new Message('reminders', 'tea', 'drink tea');
  reminder.delayTimeLevel = TWO_HOURS_LEVEL;
  await producer.send(reminder);

  const consumer = new Consumer(options({ consumerGroup: 'reminded', consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET' }));
  clients.push(consumer);
  const received = new Promise(resolve => consumer.subscribe('reminders', '*', async message => resolve(message)));
  await consumer.ready();

  const { delayed } = await rocketmq.do('waiting');
  assert.deepStrictEqual(delayed.map(message => message.text), [ 'drink tea' ]);
  await rocketmq.do('advance', { seconds: 2 * 3600 });
  assert.strictEqual((await received).body.toString(), 'drink tea');
});
