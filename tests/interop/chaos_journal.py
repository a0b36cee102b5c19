"""The journal of a chaos run: one file to which every program appends its events, a JSON object a line."""

import json
import time


class Journal:
    """The file that all programs append to; what is new in it goes to the model."""

    def __init__(self, path, model):
        self.path, self._model, self._read_bytes = path, model, 0
        path.touch()

    def note(self, event, **fields):
        """Append an event of our own, and read up to it."""
        line = json.dumps({"event": event, "told": int(time.time() * 1000), **fields})
        with open(self.path, "ab", buffering=0) as file:
            file.write(f"\n{line}\n".encode())
        self.refresh()

    def refresh(self):
        """Read what was appended since; a line without its end is left for the next time."""
        with open(self.path, "rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            event = decode(line)
            if event:
                self._model.feed(event)

    def about(self, words):
        """The lines in which one of some words stands."""
        wanted = [word.encode() for word in words]
        with open(self.path, "rb") as file:
            return [line.decode().strip() for line in file if any(word in line for word in wanted)]


def decode(line):
    """The event of a line; None for an empty one and for one that a kill cut off."""
    try:
        return json.loads(line) if line.startswith(b"{") else None
    except ValueError:
        return None
