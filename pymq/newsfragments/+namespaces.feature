Producers and consumers take a ``namespace``, which tells topics and groups apart as ``namespace%name`` like Java's, and ``namespace_v2``, which requests name beside the topic like those of 5.x.
