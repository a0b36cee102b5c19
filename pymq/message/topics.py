# Tests: tests/message/test_topics.py
"""Names of topics and groups: their rules, and those that the system keeps for itself (remoting.md 5.1 to 5.3).

Java: TopicValidator, MixAll.
"""

from __future__ import annotations

import re

NAME_CHARACTERS = "^[%|a-zA-Z0-9_-]+$"
TOPIC_LENGTH_MAX = 127
GROUP_LENGTH_MAX = 255

_NAME = re.compile(r"[%|a-zA-Z0-9_-]+\Z")

RETRY_PREFIX = "%RETRY%"
DLQ_PREFIX = "%DLQ%"
LMQ_PREFIX = "%LMQ%"
SYSTEM_TOPIC_PREFIX = "rmq_sys_"
SYSTEM_GROUP_PREFIX = "CID_RMQ_SYS_"
REPLY_POSTFIX = "REPLY_TOPIC"

AUTO_CREATE_TOPIC = "TBW102"
SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX"
BENCHMARK_TOPIC = "BenchmarkTest"
HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC"
OP_HALF_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
TRANS_CHECK_MAX_TIME_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC"
SELF_TEST_TOPIC = "SELF_TEST_TOPIC"
OFFSET_MOVED_EVENT = "OFFSET_MOVED_EVENT"
TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC"

#: Topics that an administrator can neither create nor delete.
SYSTEM_TOPICS = frozenset(
    {
        AUTO_CREATE_TOPIC,
        SCHEDULE_TOPIC,
        BENCHMARK_TOPIC,
        HALF_TOPIC,
        OP_HALF_TOPIC,
        TRANS_CHECK_MAX_TIME_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_EVENT,
        TRACE_TOPIC,
    }
)

#: Topics to which a client may not send (answered with NO_PERMISSION).
NOT_ALLOWED_SEND = frozenset(
    {SCHEDULE_TOPIC, HALF_TOPIC, OP_HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC, SELF_TEST_TOPIC, OFFSET_MOVED_EVENT}
)

_KEPT_QUEUES = frozenset({SCHEDULE_TOPIC, HALF_TOPIC, OP_HALF_TOPIC})

DEFAULT_PRODUCER_GROUP = "DEFAULT_PRODUCER"
DEFAULT_CONSUMER_GROUP = "DEFAULT_CONSUMER"
CLIENT_INNER_PRODUCER_GROUP = "CLIENT_INNER_PRODUCER"
TOOLS_CONSUMER_GROUP = "TOOLS_CONSUMER"
SCHEDULE_CONSUMER_GROUP = "SCHEDULE_CONSUMER"
FILTERSRV_CONSUMER_GROUP = "FILTERSRV_CONSUMER"
MONITOR_CONSUMER_GROUP = "__MONITOR_CONSUMER"
SELF_TEST_PRODUCER_GROUP = "SELF_TEST_P_GROUP"
SELF_TEST_CONSUMER_GROUP = "SELF_TEST_C_GROUP"
ONS_HTTP_PROXY_GROUP = "CID_ONS-HTTP-PROXY"
ONSAPI_PERMISSION_GROUP = "CID_ONSAPI_PERMISSION"
ONSAPI_OWNER_GROUP = "CID_ONSAPI_OWNER"
ONSAPI_PULL_GROUP = "CID_ONSAPI_PULL"
TRANSACTION_CHECK_GROUP = "CID_RMQ_SYS_TRANS"

#: Subscription groups that every broker has from the start.
BUILT_IN_GROUPS = (
    TOOLS_CONSUMER_GROUP,
    FILTERSRV_CONSUMER_GROUP,
    SELF_TEST_CONSUMER_GROUP,
    ONS_HTTP_PROXY_GROUP,
    ONSAPI_PULL_GROUP,
    ONSAPI_PERMISSION_GROUP,
    ONSAPI_OWNER_GROUP,
)


def check_topic(name: str | None) -> None:
    """Raise ValueError, saying what is wrong, unless `name` may be a topic's name."""
    if name is None or not name.strip():
        raise ValueError("The specified topic is blank.")
    if not _NAME.match(name):
        raise ValueError(f"The specified topic contains illegal characters, allowing only {NAME_CHARACTERS}")
    if len(name) > TOPIC_LENGTH_MAX:
        raise ValueError(f"The specified topic is longer than topic max length {TOPIC_LENGTH_MAX}.")


def check_group(name: str | None) -> None:
    """Raise ValueError, saying what is wrong, unless `name` may be a group's name."""
    if name is None or not name.strip():
        raise ValueError("the specified group is blank")
    if len(name) > GROUP_LENGTH_MAX:
        raise ValueError(f"the specified group is longer than group max length {GROUP_LENGTH_MAX}.")
    if not _NAME.match(name):
        raise ValueError(f"the specified group[{name}] contains illegal characters, allowing only {NAME_CHARACTERS}")


def keeps_queues(topic: str) -> bool:
    """Whether the queues of a topic stay, whoever wants them removed: those of the system's own work, and light queues."""
    return topic in _KEPT_QUEUES or topic.startswith(LMQ_PREFIX)


def is_system_topic(name: str) -> bool:
    """Whether the topic belongs to the system."""
    return name in SYSTEM_TOPICS or name.startswith(SYSTEM_TOPIC_PREFIX)


def is_system_group(name: str) -> bool:
    """Whether the consumer group belongs to the system."""
    return name.startswith(SYSTEM_GROUP_PREFIX)


def retry_topic(group: str) -> str:
    """Where messages that a group failed to consume come again."""
    return RETRY_PREFIX + group


def dlq_topic(group: str) -> str:
    """Where messages go that a group failed to consume too often."""
    return DLQ_PREFIX + group


def pop_retry_topic(topic: str, group: str) -> str:
    """Where messages of a topic come again that a group popped and did not acknowledge (5.x, called V1)."""
    return f"{RETRY_PREFIX}{group}_{topic}"


def pop_retry_topic_v2(topic: str, group: str) -> str:
    """The same on brokers with `enableRetryTopicV2`."""
    return f"{RETRY_PREFIX}{group}+{topic}"


def popped_topic(name: str, group: str) -> str:
    """The topic behind a group's retry topic of popped messages; any other name stays as it is (Java: parseNormalTopic)."""
    for prefix in (pop_retry_topic("", group), pop_retry_topic_v2("", group)):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def reply_topic(cluster: str) -> str:
    """The topic through which answers of the request-reply mode go."""
    return f"{cluster}_{REPLY_POSTFIX}"


def is_retry_topic(name: str) -> bool:
    """Whether the topic is some group's retry topic."""
    return name.startswith(RETRY_PREFIX)


def is_dlq_topic(name: str) -> bool:
    """Whether the topic is some group's dead letter topic."""
    return name.startswith(DLQ_PREFIX)
