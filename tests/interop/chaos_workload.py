"""What the Java programs of the chaos run do, and the fate of each message, which its number decides.

Two JVMs send (4.9.8 and 5.5.0) and two consume. Each producer JVM sends plain, ordered and transactional messages under a prefix
of its own; each consumer JVM has a member of all three groups.
"""

from . import chaos_plan

PLAIN, ORDERED, TRANSACTIONS = "ChaosPlain", "ChaosOrdered", "ChaosTransactions"
TOPICS = (PLAIN, ORDERED, TRANSACTIONS)
QUEUES = 4
SIZE = 256
INTERVAL_MS = 20
#: Between half message and commit, so that kills fall there too; and of an orderly listener.
WORK_MS = 10
#: More than any message needs: a retry that Java's client sends itself, because sending back failed, is a dead letter one earlier
#: (handleRetryAndDLQ counts the one that is sent, sendMessageBack the one that failed).
RETRIES_MAX = 4
ALWAYS = 99
#: How often the listener fails a plain message, by its number.
FAILS = (0, 0, 1, 0, 0, 0, 2, 0, 0, 0, ALWAYS, 0, 0, 0, 3, 0, 0, 0, 0, 0)
#: What the local transaction says, and what each check says, by the message's number; the last word is its fate.
OUTCOMES = ("commit", "rollback", "unknown", "unknown", "commit", "unknown", "unknown", "commit")
CHECKS = ("commit", "rollback", "commit", "rollback", "commit", "unknown/commit", "unknown/rollback", "commit")
#: What the prefixes of a producer JVM begin with; a topic's letter follows, so that a prefix and a number are one message.
SENDERS = {"producers-4.9.8": "A", "producers-5.5.0": "B"}
LETTERS = {PLAIN: "P", ORDERED: "O", TRANSACTIONS: "T"}
#: Of the transactions that those begin who only answer checks at the end.
ANSWERERS = {"producers-4.9.8": "YT", "producers-5.5.0": "ZT"}


def group(topic):
    """The consumer group of a topic."""
    return f"CG-{topic}"


RETRY_TOPIC, DEAD_TOPIC = f"%RETRY%{group(PLAIN)}", f"%DLQ%{group(PLAIN)}"


def seq_of(prefix):
    """The number in `A:00000042:`."""
    return int(prefix.split(":")[1])


def fails(prefix):
    """How often a plain message fails before it is consumed."""
    return FAILS[seq_of(prefix) % len(FAILS)]


def is_committed(prefix):
    """The fate of a transaction."""
    return CHECKS[seq_of(prefix) % len(CHECKS)].endswith("commit")


def producer_commands(name, first, base):
    """Commands of a producer JVM; `first` gives the number with which to go on, of a topic and prefix."""

    def flags(topic, **more):
        prefix = SENDERS[name] + LETTERS[topic]
        return {
            **base,
            "topic": topic,
            "group": f"PG-{topic}",
            "prefix": prefix,
            "first": first(topic, prefix),
            "size": SIZE,
            "interval_ms": INTERVAL_MS,
            "forever": True,
            **more,
        }

    return [
        ("send", flags(PLAIN, key_prefix=SENDERS[name])),
        ("send", flags(ORDERED, mode="ordered")),
        ("transaction", flags(TRANSACTIONS, work_ms=WORK_MS, **answers())),
    ]


def answers():
    """The flags of a transaction producer by which all of them decide alike."""
    return {"outcome": ",".join(OUTCOMES), "check": ",".join(CHECKS), "by_seq": True}


def answerer_commands(name, base):
    """A producer that sends one message, for Java 5.x tells of itself only then, and answers checks until it is stopped."""
    flags = {"topic": TRANSACTIONS, "group": f"PG-{TRANSACTIONS}", "prefix": ANSWERERS[name], "size": SIZE, "count": 1}
    return [("transaction", {**base, **flags, **answers(), "linger": True})]


def consumer_commands(base):
    """A member of each group."""

    def flags(topic, **more):
        return {**base, "topic": topic, "group": group(topic), "size": SIZE, "from_": "first", "at_once": True, **more}

    return [
        ("receive", flags(PLAIN, fail_times=",".join(map(str, FAILS)), max_reconsume=RETRIES_MAX)),
        ("receive", flags(ORDERED, orderly=True, work_ms=WORK_MS)),
        ("receive", flags(TRANSACTIONS)),
    ]


def commands(name, first, base):
    """The commands of a JVM of the chaos run, by its name."""
    return producer_commands(name, first, base) if name in chaos_plan.PRODUCERS else consumer_commands(base)
