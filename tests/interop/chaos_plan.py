"""What happens to whom, and when: drawn from a seed, so that a run can be had again."""

import random
from dataclasses import dataclass

BROKER = "broker"
PRODUCERS = ("producers-4.9.8", "producers-5.5.0")
CONSUMERS = ("consumers-4.9.8", "consumers-5.5.0")
VICTIMS = (BROKER, *PRODUCERS, *CONSUMERS)
#: SIGKILL, SIGTERM, SIGSTOP and later SIGCONT; each with how often it is drawn.
KINDS = {"kill": 6, "term": 2, "pause": 2}
#: From one step to the next, once those who are to be struck are up.
CALM_S = (0.5, 5.0)
DOWN_S = (0.0, 4.0)
#: Longer than the client waits for an answer; shorter than what anybody takes for death (a queue lock lives 60 s).
PAUSE_S = (0.5, 8.0)
PAIR_CHANCE = 0.35
#: A consumer that comes back under a new name waits until the locks of its old one run out.
NEW_NAME_CHANCE = 0.15


@dataclass(frozen=True)
class Blow:
    """What is done to one victim: which kind, for how long, and whether it comes back under a new client id."""

    victim: str
    kind: str
    down_s: float
    new_name: bool = False

    def __str__(self):
        return f"{self.kind} {self.victim} for {self.down_s:.1f} s{' (new name)' if self.new_name else ''}"


@dataclass(frozen=True)
class Step:
    """Blows that fall together, so many seconds after the step before."""

    calm_s: float
    blows: tuple

    def __str__(self):
        return f"after {self.calm_s:.1f} s: " + " and ".join(map(str, self.blows))


def steps(seed):
    """An endless row of steps, the same for the same seed. The first five strike all; then the broker comes twice as often."""
    chance = random.Random(seed)
    first = chance.sample(VICTIMS, len(VICTIMS))
    while True:
        victims = [first.pop() if first else chance.choice((*VICTIMS, BROKER))]
        if chance.random() < PAIR_CHANCE:
            victims.append(chance.choice([other for other in VICTIMS if other != victims[0]]))
        yield Step(chance.uniform(*CALM_S), tuple(blow(chance, victim) for victim in victims))


def blow(chance, victim):
    """One blow for a victim."""
    (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
    down_s = chance.uniform(*(PAUSE_S if kind == "pause" else DOWN_S))
    new_name = chance.random() < NEW_NAME_CHANCE and kind != "pause" and victim in CONSUMERS
    return Blow(victim, kind, down_s, new_name)
