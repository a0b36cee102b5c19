Request and reply: the broker gives replies to the client that asked; ``Producer.request`` and ``reply_message`` for Python. ``docs/request-reply.rst`` tells of them.
