``pymq.aio``: the clients for asyncio, with ``async with`` and ``async for``, on any event loop and without a Twisted reactor.
