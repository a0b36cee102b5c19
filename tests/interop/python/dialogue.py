"""The commands `request`, `reply` and `trace` of PyMQ's own client program."""

from twisted.internet.defer import Deferred

from pymq.client import Message, Producer, PushConsumer, reply_message

#: A replier that has just begun may not have its queues yet.
REPLY_S = 120


class Dialogue:
    """Ask and wait for replies, answer requests, or send and receive with traces. `program` is the client program itself."""

    def __init__(self, flags, program):
        self.flags, self.program = flags, program
        self.settings = program.settings_of(flags)

    async def run(self):
        """The command; its exit code."""
        await getattr(self, self.flags.command)()
        self.program.say("done")
        return 0

    def message(self, seq):
        """A message, or request, of that number."""
        body = self.program.make_body(self.flags.prefix, seq, self.flags.size or 100)
        return Message(self.flags.topic, body, keys=f"D{seq}")

    async def consumer(self, group, listener, **more):
        """A consumer that runs, from the first message on."""
        consumer = PushConsumer(group, consume_from_where="CONSUME_FROM_FIRST_OFFSET", **self.settings, **more)
        consumer.subscribe(self.flags.topic)
        consumer.listen(listener)
        await consumer.start()
        return consumer

    async def request(self):
        """One request after the other."""
        producer = Producer(self.flags.group, **self.settings)
        await producer.start()
        for seq in range(self.flags.count):
            reply = await producer.request(self.message(seq), REPLY_S)
            head = self.program.head_of(reply.body)
            self.program.say(
                "replied",
                seq=seq,
                body_prefix=head and head.decode(),
                size=len(reply.body),
                pushed="PUSH_REPLY_TIME" in reply.properties,
            )
        await producer.shutdown()

    async def reply(self):
        """A reply's body is an R and then that of the request."""
        producer = Producer(f"{self.flags.group}-replies", **self.settings)
        await producer.start()

        async def answer(messages, _):
            for message in messages:
                sent = await producer.send(reply_message(message, b"R" + message.body))
                self.program.say("answered", status=sent.status.name, msgId=sent.offset_msg_id)

        consumer = await self.consumer(self.flags.group, answer)
        self.program.say("ready")
        while not self.program.stopping.is_set():
            await self.program.sleep(0.1)
        await consumer.shutdown()
        await producer.shutdown()

    async def trace(self):
        """Some messages to ourselves."""
        producer = Producer(f"{self.flags.group}-sends", enable_msg_trace=True, **self.settings)
        await producer.start()
        for seq in range(self.flags.count):
            self.program.say("sent", seq=seq, msgId=(await producer.send(self.message(seq))).msg_id)
        await producer.shutdown()
        missing, nothing_missing = set(range(self.flags.count)), Deferred()

        def received(messages, _):
            missing.difference_update(int(message.body.split(b":")[1]) for message in messages)
            if not missing and not nothing_missing.called:
                nothing_missing.callback(None)

        consumer = await self.consumer(self.flags.group, received, enable_msg_trace=True)
        await nothing_missing
        await consumer.shutdown()
