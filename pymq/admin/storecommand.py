# Tests: tests/admin/test_storecommand.py
"""`pymq-admin store dump|verify|recover DIR`: options, and what is done with them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import Any

import attrs
from twisted.internet.task import Clock

from pymq.admin.dump import SECTIONS, Filters, dump
from pymq.admin.findings import Finding
from pymq.admin.folder import StoreFolder
from pymq.admin.output import Output
from pymq.admin.verify import verify
from pymq.errors import ConfigError, StoreError
from pymq.interfaces import IFiles
from pymq.settings import parse_properties, parse_words, read_settings
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.multipath import open_log_files
from pymq.store.store import FileMessageStore

__all__ = ["add_parsers"]

DONE, WRONG, IMPOSSIBLE = 0, 1, 2
FINDINGS_SHOWN = 1000

_DESCRIPTION = "Looks at a store folder, of PyMQ or of Apache RocketMQ, without a broker."
_SETTINGS_HELP = "a setting with which the store was made, such as maxIndexNum=400; sizes of files are read off the files"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the word `store` and what follows it."""
    store = commands.add_parser("store", help="look into a store folder, check it, recover it", description=_DESCRIPTION)
    actions = store.add_subparsers(metavar="ACTION", required=True)
    shown = _add(actions, "dump", _dump, "print what is in it; also while a broker runs")
    shown.add_argument("--show", action="append", choices=SECTIONS, help="what to print; may be repeated (default: summary)")
    _add_filters(shown)
    checked = _add(actions, "verify", _verify, "name every damage with file, offset and cause; also while a broker runs")
    checked.add_argument("--no-crc", action="store_true", help="leave the bodies' checksums out")
    checked.add_argument("--limit", type=int, default=FINDINGS_SHOWN, help=f"print so many findings (default: {FINDINGS_SHOWN})")
    _add(actions, "recover", _recover, "do what a broker's start does, and say what it did; not while a broker runs")


def _add(actions: Any, name: str, action: Callable[..., int], text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    made.add_argument("dir", metavar="DIR", help="the folder of storePathRootDir")
    made.add_argument("-c", "--config-file", metavar="FILE", help="the broker's configuration file, for its settings")
    made.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help=_SETTINGS_HELP)
    made.add_argument("--commit-log", metavar="DIR", help="the folder of storePathCommitLog, or several with commas")
    made.add_argument("--json", dest="as_json", action="store_true", help="one JSON object a line")
    made.set_defaults(run=action)
    return made


def _add_filters(shown: argparse.ArgumentParser) -> None:
    shown.add_argument("--topic", help="only of this topic")
    shown.add_argument("--queue", type=int, help="only of this queue id")
    shown.add_argument("--from-offset", type=int, help="queue offsets from this one on")
    shown.add_argument("--to-offset", type=int, help="queue offsets up to this one")
    shown.add_argument("--key", help="messages with this key or unique key")
    shown.add_argument(
        "--from-time", type=_time, help="stored at this time or later: ms since 1970, or 2023-11-14T22:13:20 (UTC)"
    )
    shown.add_argument("--to-time", type=_time, help="stored at this time or before")
    shown.add_argument("--bodies", action="store_true", help="print whole bodies, not their beginnings")


def _time(text: str) -> int:
    if text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1000)


def _config(options: argparse.Namespace, base: MessageStoreConfig | None = None) -> MessageStoreConfig:
    """The settings of the command line. Raises ConfigError."""
    properties = {}
    path = options.config_file
    if path:
        try:
            text = DiskFiles(os.path.dirname(path) or ".", read_only=True).read_bytes(os.path.basename(path)).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("config-file", path, f"a readable file of key=value lines is needed ({error})") from error
        properties = parse_properties(text)
    properties.update(parse_words(options.set))
    return read_settings(MessageStoreConfig, properties, base)


def _log_files(options: argparse.Namespace, config: MessageStoreConfig, open_folder: Callable[[str], IFiles]) -> IFiles | None:
    """What --commit-log names; the settings may be those of another machine."""
    elsewhere = attrs.evolve(config, store_path_commit_log=options.commit_log or "", read_only_commit_log_store_paths="")
    return open_log_files(elsewhere, open_folder)


def _open(options: argparse.Namespace, output: Output) -> StoreFolder | None:
    """The folder for reading; None, and a word of why, when it holds no store."""
    try:
        config = _config(options)
    except ConfigError as error:
        output.complain(str(error))
        return None
    log_files = _log_files(options, config, partial(DiskFiles, read_only=True))
    folder = StoreFolder(DiskFiles(options.dir, read_only=True), config, log_files)
    if not folder.is_store:
        output.complain(f"{options.dir} is not a store: there is neither commitlog nor consumequeue in it")
        return None
    return folder


def _dump(options: argparse.Namespace, output: Output) -> int:
    folder = _open(options, output)
    if folder is None:
        return IMPOSSIBLE
    filters = Filters(
        topic=options.topic,
        queue_id=options.queue,
        from_offset=options.from_offset,
        to_offset=options.to_offset,
        key=options.key,
        from_ms=options.from_time,
        to_ms=options.to_time,
    )
    progress = output.progress("reading")
    dump(folder, options.show or ["summary"], filters, output, whole_bodies=options.bodies, progress=progress)
    progress.clear()
    return DONE


def _verify(options: argparse.Namespace, output: Output) -> int:
    folder = _open(options, output)
    if folder is None:
        return IMPOSSIBLE
    progress = output.progress("verifying")
    shown = 0

    def report(finding: Finding) -> None:
        nonlocal shown
        shown += 1
        if shown <= options.limit:
            output.row("damage" if finding.is_damage else "note", finding.sentence(), **_fields(finding))

    verdict = verify(folder, report, check_crc=not options.no_crc, progress=progress)
    progress.clear()
    if shown > options.limit and not output.as_json:
        output.row("more", f"and {shown - options.limit} more; see --limit")
    output.row("verdict", verdict.sentence(), **attrs.asdict(verdict))
    return WRONG if verdict.damages else DONE


def _fields(finding: Finding) -> dict[str, Any]:
    return {"path": finding.path, "offset": finding.offset, "cause": finding.cause}


def _recover(options: argparse.Namespace, output: Output) -> int:
    folder = _open(options, output)
    if folder is None:
        return IMPOSSIBLE
    config = _config(options, folder.sized_config())
    clock = Clock()
    clock.advance(datetime.now(timezone.utc).timestamp())
    log_files = _log_files(options, config, DiskFiles)
    store = FileMessageStore(DiskFiles(options.dir), config, clock=clock, log_files=log_files)
    try:
        store.load()
        store.close()
    except (StoreError, OSError) as error:
        output.complain(str(error))
        return WRONG
    report = store.report
    output.row("recovery", report.sentence(), **attrs.asdict(report))
    return DONE
