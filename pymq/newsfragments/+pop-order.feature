``PopConsumer.pop(..., order=True)`` pops the messages of a queue in order, and ``PopConsumer.peek`` shows what is next without hiding it, on brokers of Apache RocketMQ 5.x.
