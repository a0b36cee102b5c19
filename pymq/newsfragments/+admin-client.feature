``Admin`` in ``pymq.client``, ``pymq.aio`` and ``pymq.blocking``: topics, consumer groups and their offsets, brokers and name servers looked after from programs, as with Java's ``DefaultMQAdminExt``.
