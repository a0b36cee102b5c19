"""PyMQ: a RocketMQ that people can pip install. A broker, a name server and a client library on Twisted.

The map, in reading order; each package may import only those named before it (tests/test_tidy.py holds this):

    errors, interfaces, layout, settings    what everything else speaks of: failures, seams, byte layouts, settings;
        and periodic, statsitems            repeated work, counters over time
    wire          bytes <-> commands: frames, headers, bodies, codes. No Twisted, no input or output
    message       what a message is, and its stored form
    store         the commit log, and what is derived from it: queues, index, checkpoint, recovery
    broker        what a broker knows: topics, groups, clients, offsets, held pulls, queue locks, statistics
    namesrv       what a name server knows, and its processor
    broker.processors    one family of requests each: decode, ask the domain, answer
    remoting      Twisted: channels, matching of answers, dispatch to processors
    client        producers and consumers on Deferreds
    aio           the same for asyncio
    blocking      the same for threads
    services      the foremen: build, start and stop a broker or a name server; periodic work
    tap           command lines, for twistd and for the console scripts
    admin         pymq-admin: stores looked at without a broker
    testing       fakes and builders, for our tests and yours

One message's way through them is told in docs/architecture.rst.
"""

__version__ = "0.1.0"
