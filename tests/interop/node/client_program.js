'use strict';
// The ali-ons client with the command language that all families share: `send` and `receive`.
const fs = require('fs');
const { Consumer, Producer, Message } = require('ali-ons');

const IN_FLIGHT_MAX = 32;
const FLUSH_MS = 100;
let stopping = false;
const lines = [];

function append(event, fields) { lines.push(JSON.stringify(Object.assign({ event }, fields))); }

function flush() {
  if (lines.length) fs.writeSync(1, lines.splice(0).join('\n') + '\n');
}

function print(event, fields) { append(event, fields); flush(); }

function parse(argv) {
  const flags = { command: argv[0] };
  for (let i = 1; i < argv.length; i++) {
    const bare = i + 1 === argv.length || argv[i + 1].startsWith('--');
    flags[argv[i].slice(2)] = bare ? 'true' : argv[++i];
  }
  return flags;
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

function options(flags) {
  const quiet = () => {};
  const logger = { info: quiet, debug: quiet, warn: quiet, error: (...args) => console.error(...args) };
  // Without an HTTP client its constructor throws, though it is only for looking up name servers by URL.
  const httpclient = { request: async () => { throw new Error('the name server is given, no URL is asked'); } };
  const given = { nameSrv: flags.namesrv, clientIP: '127.0.0.1', logger, httpclient };
  if (flags.instance) given.instanceName = flags.instance;
  // Long, for a send that fails fails a test, and the machine may be busy; the client's own where it is repeated.
  if (!flags.forever) given.sendMsgTimeout = 20000;
  return given;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

function makeBody(prefix, seq, size) {
  let body = `${prefix}:${String(seq).padStart(8, '0')}:`;
  while (body.length < size) body += LETTERS.slice(body.length % 26, Math.min(26, body.length % 26 + size - body.length));
  return body;
}

function prefixOf(text) {
  const end = text.indexOf(':', text.indexOf(':') + 1);
  return end < 0 ? null : text.slice(0, end + 1);
}

async function sendOne(producer, flags, seq, acks) {
  const message = new Message(flags.topic, flags.tag || '', makeBody(flags.prefix || 'P', seq, Number(flags.size || 1024)));
  if (flags['key-prefix']) message.keys = [ flags['key-prefix'] + seq ];
  if (flags['delay-level']) message.delayTimeLevel = Number(flags['delay-level']);
  const result = await producer.send(message);
  if (result.sendStatus !== 'SEND_OK') throw new Error(result.sendStatus);
  const queueId = Number(result.messageQueue.queueId); // it comes as text
  const queueOffset = Number(result.queueOffset);
  if (acks) fs.writeSync(acks, `${seq} ${queueId} ${queueOffset}\n`);
  if (!flags.quiet) {
    print('sent', { seq, msgId: result.msgId, offsetMsgId: result.msgId, queueId, queueOffset, status: 'SEND_OK' });
  }
}

async function send(flags) {
  const counts = { sent: 0, failed: 0 };
  const count = flags.forever ? Infinity : Number(flags.count || 1);
  const acks = flags['ack-file'] && fs.openSync(flags['ack-file'], 'a');
  if (flags.forever) process.stdin.on('end', () => { stopping = true; }).resume();
  const producer = new Producer(Object.assign(options(flags), { producerGroup: flags.group }));
  await producer.ready();
  print('ready');
  let next = 0;
  const work = async () => {
    while (next < count && !stopping) {
      const seq = next++;
      for (let done = false; !done && !stopping;) {
        try {
          await sendOne(producer, flags, seq, acks);
          counts.sent++;
          done = true;
        } catch (error) {
          counts.failed++;
          print('failed', { seq, message: String(error) });
          done = !flags.forever;
          await sleep(50);
        }
      }
      if (flags['interval-ms']) await sleep(Number(flags['interval-ms']));
    }
  };
  await Promise.all(Array.from({ length: flags.mode === 'async' ? IN_FLIGHT_MAX : 1 }, work));
  await producer.close();
  print('done', counts);
  return counts.failed && !flags.forever ? 1 : 0;
}

function received(message, flags, distinct) {
  const text = message.body.toString('latin1');
  const prefix = prefixOf(text);
  const size = message.body.length;
  const wanted = Number(flags.size || 0) || size;
  if (prefix === null || size !== wanted || makeBody(prefix.slice(0, -10), Number(prefix.slice(-9, -1)), size) !== text) {
    append('corrupt', { size, body_prefix: prefix, msgId: message.msgId });
  }
  append('received', { body_prefix: prefix, size, queueId: message.queueId, queueOffset: Number(message.queueOffset),
    msgId: message.msgId, tags: message.tags, reconsume: message.reconsumeTimes, topic: message.topic,
    born: Number(message.bornTimestamp), stored: Number(message.storeTimestamp), at: Date.now() });
  if (flags['at-once']) flush();
  if (message.reconsumeTimes < Number(flags['fail-times'] || 0)) throw new Error('as asked');
  distinct.add(prefix);
}

async function receive(flags) {
  const distinct = new Set();
  const expect = flags.expect ? Number(flags.expect) : Infinity;
  const deadline = Date.now() + 1000 * Number(flags['timeout-s'] || 3600);
  const from = flags.from === 'last' ? 'CONSUME_FROM_LAST_OFFSET' : 'CONSUME_FROM_FIRST_OFFSET';
  const consumer = new Consumer(Object.assign(options(flags), { consumerGroup: flags.group, consumeFromWhere: from,
    isBroadcast: !!flags.broadcast, parallelConsumeLimit: 32,
    ...(flags['max-reconsume'] && { maxReconsumeTimes: Number(flags['max-reconsume']) }) }));
  consumer.on('error', error => console.error(error));
  consumer.subscribe(flags.topic, flags.tag || '*', async message => received(message, flags, distinct));
  await consumer.ready();
  print('ready');
  let shown = 0;
  while (distinct.size < expect && !stopping && Date.now() < deadline) {
    await sleep(FLUSH_MS);
    const queues = [ ...consumer.processQueueTable.values() ].filter(item => item.messageQueue.topic === flags.topic).length;
    if (queues !== shown) append('assigned', { queues });
    shown = queues;
    flush();
  }
  await consumer.close();
  print('done', { received: distinct.size });
  return flags.expect && distinct.size < expect ? 1 : 0;
}

process.on('SIGTERM', () => { stopping = true; });
process.on('unhandledRejection', error => console.error(error));
const flags = parse(process.argv.slice(2));
const command = { send, receive }[flags.command];
if (!command) throw new Error(`unknown command ${flags.command}: send, receive`);
command(flags).then(code => process.exit(code), error => {
  console.error(error);
  print('error', { message: String(error) });
  process.exit(1);
});
