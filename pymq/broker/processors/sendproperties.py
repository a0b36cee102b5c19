# Tests: tests/broker/processors/test_sendproperties.py
"""The property string of a message that is being sent, read once: what the broker must know of it, and what it stores instead.

To look each property up would cost more than all other work on a small message, so one walk over the items does it all: WAIT is
taken out (4.9.8 does not store it), CLUSTER is set, tag and keys are picked up, the marks of transactions and delays are noticed.
"""

from __future__ import annotations

from pymq.broker.config import BrokerConfig
from pymq.message.properties import (
    CLUSTER,
    DELAY,
    KEY_SEPARATOR,
    KEYS,
    MSG_REGION,
    NAME_VALUE_SEPARATOR,
    PROPERTY_SEPARATOR,
    TAGS,
    TRAN_MSG,
    UNIQ_KEY,
    WAIT,
)

_TRUE = "true"

#: The text to store, tags, index keys, whether the sender waits for the disk, TRAN_MSG's value, DELAY's value.
SendProperties = tuple[str, str, tuple[str, ...], bool, str, str]


def own_properties(config: BrokerConfig) -> str:
    """What the broker itself appends to the property string of a message: CLUSTER, and where traces are kept MSG_REGION.

    Clients of 5.x trace the consumption of those messages only that say a region. 4.9.8 stores none, 5.x always does; it costs
    every message some bytes, so it is stored where it is of use.
    """
    items = [f"{CLUSTER}{NAME_VALUE_SEPARATOR}{config.broker_cluster_name}"]
    if config.trace_topic_enable:
        items.append(f"{MSG_REGION}{NAME_VALUE_SEPARATOR}{config.region_id}")
    return PROPERTY_SEPARATOR.join(items)


def read_send_properties(text: str, own_properties: str) -> SendProperties:
    """What is to be known of a property string: see SendProperties for the parts.

    Missing values are empty texts. As everywhere an empty value counts as not written and a later duplicate wins (store.md 2.5).
    """
    kept: list[str] = []
    unique = keys = tags = wait = transaction = delay = ""
    # The names that most messages have come first.
    for item in text.split(PROPERTY_SEPARATOR):
        name, _, value = item.partition(NAME_VALUE_SEPARATOR)
        if name == UNIQ_KEY:
            unique = value or unique
        elif name == WAIT:
            wait = value or wait
            continue
        elif name == KEYS:
            keys = value or keys
        elif name == TAGS:
            tags = value or tags
        elif name == CLUSTER or not item:
            continue
        elif name == TRAN_MSG:
            transaction = value or transaction
        elif name == DELAY:
            delay = value or delay
        kept.append(item)
    kept.append(own_properties)
    index_keys: tuple[str, ...] = (unique,) if unique else ()
    if keys:
        index_keys += tuple(filter(None, keys.split(KEY_SEPARATOR))) if KEY_SEPARATOR in keys else (keys,)
    return PROPERTY_SEPARATOR.join(kept), tags, index_keys, not wait or wait.lower() == _TRUE, transaction, delay
