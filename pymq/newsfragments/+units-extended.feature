QUERY_CONSUME_QUEUE (321) shows what extended queues keep of their messages, their bits, and how a group's filter judges them.
