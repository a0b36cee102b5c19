"""A store directory moves from a real Apache broker to PyMQ and back: all is there, what was under way goes on.

`PYMQ_MOVES=all` moves it between more versions, and has each side both stopped and killed.
"""

import os

import pytest

from .apache import ApacheCluster
from .household import Household
from .pymq_server import PyMQServer

#: Apache's version, the Java client, how Apache leaves, how PyMQ leaves.
MOVES = [("4.9.7", "java-4.9.8", "kill", "stop"), ("5.5.0", "java-5.5.0", "stop", "kill")]
MORE = [
    ("4.9.7", "java-4.9.8", "stop", "kill"),
    ("5.3.3", "java-5.3.3", "stop", "kill"),
    ("5.3.3", "java-5.3.3", "kill", "stop"),
    ("5.5.0", "java-5.5.0", "kill", "stop"),
]


@pytest.mark.parametrize(
    "version, java, apache_leaves, pymq_leaves", MOVES + (MORE if os.environ.get("PYMQ_MOVES") == "all" else [])
)
def test_there_and_back(tmp_path, version, java, apache_leaves, pymq_leaves):
    """Of the two one is stopped by SIGTERM, the other by SIGKILL; what PyMQ leaves is as good as what Apache left."""
    home = Household(tmp_path / "store", java)
    with ApacheCluster(version, transactionOpBatchInterval=100, **home.config) as apache:
        home.settle(apache)
        home.live(apache)
        home.before_leaving(apache)
        getattr(apache, apache_leaves)()
    with PyMQServer(**home.config) as pymq:
        home.check(pymq)
        home.live(pymq)
        home.before_leaving(pymq)
        getattr(pymq, pymq_leaves)()
    with ApacheCluster(version, transactionOpBatchInterval=100, **home.config) as apache:
        home.check(apache)
        home.live(apache)
