``LitePullConsumer`` in ``pymq.client``, ``pymq.aio`` and ``pymq.blocking``: polling messages of subscribed or assigned queues, with seek, pause and commits by hand or by themselves.
