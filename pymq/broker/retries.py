# Tests: tests/broker/test_retries.py
"""The rules of retries: how often a group's messages come again, how long they wait, where they end (store.md 6.4).

A message that a consumer could not use goes to %RETRY%group, by way of the delay levels, and when it came too often to
%DLQ%group, where somebody has to look at it. Consumers ask for it (code 36), or, when that failed, send a copy themselves.
"""

from __future__ import annotations

from pymq.broker.topics import TopicConfigManager
from pymq.message import topics as names
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE, SubscriptionGroupConfig

#: Queues of a dead letter topic.
DLQ_QUEUES = 1
#: The delay level of a first retry; each further one is a level higher.
FIRST_LEVEL = 3
#: From this version of the client on its `maxReconsumeTimes` counts (V3_4_9, remoting.md 1.6).
OWN_LIMIT_VERSION = 121


def retries_max(group: SubscriptionGroupConfig, client_version: int, wish: int | None) -> int:
    """After how many retries a message is a dead letter: as the client wishes, if it may, else as the group is configured."""
    return wish if wish is not None and client_version >= OWN_LIMIT_VERSION else group.retry_max_times


def retry_level(wish: int, reconsume_times: int) -> int:
    """The delay level of the next retry; 0 as a wish leaves the choice to us, and each time is later than the one before."""
    return wish or FIRST_LEVEL + reconsume_times


def make_dead_letter_topic(topics: TopicConfigManager, group: str) -> str:
    """The name of a group's dead letter topic, which is made if need be, readable too as 4.9.8 has it. Raises RequestError."""
    return topics.create_on_send_back(names.dlq_topic(group), DLQ_QUEUES, PERM_READ | PERM_WRITE, 0).topic_name
