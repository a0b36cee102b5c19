# Tests: tests/wire/bodies/test_consumerlist.py
"""Who is in a consumer group (remoting.md 3.4)."""

from __future__ import annotations

import msgspec


class GetConsumerListByGroupResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """GET_CONSUMER_LIST_BY_GROUP (38): the client ids."""

    consumer_id_list: tuple[str, ...] = ()
