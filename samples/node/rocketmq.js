'use strict';
// A RocketMQ broker for tests: `python -m pymq.testing` as a child process, asked by lines of JSON.
const { spawn } = require('node:child_process');
const readline = require('node:readline');

class RocketMQ {
  /** Start one; `python` is the interpreter in which pymq-broker[testing] is installed. */
  static async start(python = process.env.PYMQ_PYTHON || 'python3') {
    const rocketmq = new RocketMQ();
    rocketmq.child = spawn(python, [ '-m', 'pymq.testing' ], { stdio: [ 'pipe', 'pipe', 'inherit' ] });
    rocketmq.lines = readline.createInterface({ input: rocketmq.child.stdout })[Symbol.asyncIterator]();
    const first = await rocketmq.read();
    if (first.error) throw new Error(first.error);
    rocketmq.nameServer = first.nameServer;
    return rocketmq;
  }

  async read() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the broker has ended');
    return JSON.parse(value);
  }

  /** Do a command, such as do('createTopic', { topic: 'orders' }); its result. One at a time. */
  async do(command, fields = {}) {
    this.child.stdin.write(JSON.stringify({ do: command, ...fields }) + '\n');
    const answer = await this.read();
    if (!answer.ok) throw new Error(answer.error);
    return answer.result;
  }

  stop() {
    this.child.stdin.end();
  }
}

module.exports = { RocketMQ };
