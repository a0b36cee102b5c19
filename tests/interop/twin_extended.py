"""Conversations with brokers whose queues are extended, and keep bit maps for those who filter by SQL."""

import time

from .twin_consuming import UNITS
from .twin_questions import HEARTBEAT, PULL, UNREGISTER, filled_topic, heartbeat, make_topic, pull

SETTINGS = {"enablePropertyFilter": "true", "enableConsumeQueueExt": "true", "enableCalcFilterBitMap": "true"}
#: Filters speak of messages that are younger than they, by Java's clock of milliseconds.
LATER_S = 0.05


def units(topic, index=0, count=9, **more):
    """The fields of a question for units of a queue."""
    return {"topic": topic, "queueId": 0, "index": index, "count": count, **more}


def filtered(t, topic, expressions):
    """A topic with five messages, younger than the filters of groups, each of one member; and one group by tags."""
    make_topic(t, topic)
    for group, (expression, kind) in expressions.items():
        t.ask(f"a member of {group}", HEARTBEAT, {}, heartbeat(f"c-{group}", group, topic, expression, kind=kind))
    time.sleep(LATER_S)
    return filled_topic(t, topic)


def extended_units(t):
    """What units lead to, and how filters judge that."""
    groups = {
        "some": ("n > 2", "SQL92"),
        "none": ("n > 9", "SQL92"),
        "bad": ("n >", "SQL92"),
        "A": ("TagA", "TAG"),
        "all": ("*", "TAG"),
    }
    topic = filtered(t, "te-units", {f"CG-te-{name}": expression for name, expression in groups.items()})
    t.ask("units", UNITS, units(topic))
    for index, count in ((2, 1), (4, 9), (5, 1)):
        t.ask(f"{count} from {index}", UNITS, units(topic, index, count))
    for name in (*groups, "nobody"):
        t.ask(f"as {name} has them", UNITS, units(topic, consumerGroup=f"CG-te-{name}"))
    t.ask("some leaves", UNREGISTER, {"clientID": "c-CG-te-some", "consumerGroup": "CG-te-some"})
    t.ask("without some", UNITS, units(topic, consumerGroup="CG-te-some"))


def older_messages(t):
    """A filter that came after the messages judges none of them."""
    topic = filled_topic(t, "te-older")
    time.sleep(LATER_S)
    t.ask("a member", HEARTBEAT, {}, heartbeat("c1", "CG-te-late", topic, "n > 9", kind="SQL92"))
    t.ask("units", UNITS, units(topic, consumerGroup="CG-te-late"))
    t.ask("a pull", PULL, pull(topic, consumerGroup="CG-te-late", sysFlag=0, subVersion=1))


def pulls(t):
    """By bit maps, and by the messages' properties behind them."""
    topic = filtered(t, "te-pulls", {"CG-te-pulls": ("n > 2", "SQL92"), "CG-te-tags": ("TagB", "TAG")})
    for offset in range(6):
        for group in ("CG-te-pulls", "CG-te-tags"):
            t.ask(f"{group} from {offset}", PULL, pull(topic, 0, offset, consumerGroup=group, sysFlag=0, subVersion=1))
    for count in (1, 2):
        t.ask(f"{count} messages", PULL, pull(topic, consumerGroup="CG-te-pulls", sysFlag=0, subVersion=1, maxMsgNums=count))
    t.ask("by an expression of its own", PULL, pull(topic, subscription="n < 2", expressionType="SQL92"))


TALKS = [extended_units, older_messages, pulls]
