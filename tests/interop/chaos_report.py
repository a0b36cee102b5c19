"""What people need when a chaos run failed: how to have it again, what was done, and the whole history of each bad message."""

PROBLEMS_MAX, HISTORIES_MAX, LINES_MAX = 40, 8, 60


def summary(scene, seconds):
    """The run in numbers."""
    counts = ", ".join(f"{count} {what}" for what, count in sorted(scene.model.counts.items()))
    return f"chaos: seed {scene.seed}, {seconds} s, {len(scene.schedule)} steps; {counts}"


def failure(scene, seconds, problems):
    """Everything, as a text."""
    again = f"PYMQ_CHAOS_SECONDS={seconds} PYMQ_CHAOS_SEED={scene.seed} pytest -m interop tests/interop/test_chaos.py"
    parts = [
        f"{len(problems)} problems with messages, {len(scene.trouble)} others; again with: {again}",
        f"store, journal and log are in {scene.folder}",
        *scene.trouble[:PROBLEMS_MAX],
        *(problem.text for problem in problems[:PROBLEMS_MAX]),
        "--- schedule",
        *scene.schedule,
        "--- the broker's last lines",
        *scene.log_lines,
    ]
    for problem in problems[:HISTORIES_MAX]:
        parts += [f"--- history: {problem.text}", *history(scene, problem.words)]
    return "\n".join([*parts, summary(scene, seconds)])


def history(scene, words):
    """All that the journal says of a message, from the first try to send it, and where it is stored."""
    wanted = [*words, *(sender_words(word) for word in words if word.count(":") == 2)]
    lines = scene.journal.about(wanted)
    stored = [
        f"stored in {topic} queue {found.queue} offset {found.offset}, log offset {found.log_offset}, at {found.stored_ms}, "
        f"retries {found.reconsume}, id {found.unique_id}"
        for topic, all_stored in scene.stored.items()
        for found in all_stored
        if found.prefix in words or found.unique_id in words
    ]
    return [*lines[:LINES_MAX], *stored[:LINES_MAX]]


def sender_words(prefix):
    """How a sender's events name the message `AP:00000042:`."""
    name, seq, _ = prefix.split(":")
    return f'"prefix":"{name}","seq":{int(seq)},'
