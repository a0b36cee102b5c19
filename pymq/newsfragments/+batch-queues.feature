A store directory with batch consume queues of RocketMQ 5.x is refused with a sentence that names the topic.
