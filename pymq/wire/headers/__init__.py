"""The typed headers, one module for each family of requests; classes have Java's names, fields its names in snake_case."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader


def request_headers() -> dict[int, type[CommandHeader]]:
    """Which class reads the extFields of a request, by code; a code without a header of its own is not there."""
    from pymq.wire.headers import admin, clients, messages, offsets, pop, routes, topics, transactions

    families = (messages, offsets, clients, topics, routes, transactions, admin, pop)
    return {code: header for family in families for code, header in family.REQUESTS.items()}
