"""What is installed, under every Python of this machine: commands, twistd's plugin, a broker, and a sample of each manner."""

import signal
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import documents

from .places import InstalledBroker
from .test_contents import DIST_INFO, SCRIPTS

#: The sample that shows each manner of using the client.
MANNERS = {"Deferreds": "README.rst-1", "asyncio": "clients.rst-1", "blocking": "clients.rst-2"}
WORDS = {"Deferreds": "from pymq.client", "asyncio": "from pymq.aio", "blocking": "from pymq.blocking"}
#: Imports all modules but those named, with every warning an error.
IMPORT_ALL = """
import importlib, pkgutil, sys, warnings
import pymq
warnings.simplefilter("error")
print(pymq.__file__)
for module in pkgutil.walk_packages(pymq.__path__, "pymq."):
    if module.name not in sys.argv[1:] and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


def run_program(environment, namesrv, text, name=""):
    """Run a sample to its end; what it printed."""
    return environment.check([environment.python, documents.write_program(text, namesrv, environment.work / f"sample_{name}.py")])


def test_every_module_is_imported_without_an_extra(installed):
    """Nor without a warning; what needs pytest is for those who have it."""
    where = installed.check([installed.python, "-c", IMPORT_ALL, "pymq.testing.pytest_plugin"])
    assert where.startswith(str(installed.site))


def test_every_command_has_help(installed):
    """Each on standard output, with its usage."""
    for name in SCRIPTS:
        assert "usage:" in installed.check([installed.script(name), "--help"]).lower(), name
    assert "createTopic" in installed.check([installed.python, "-m", "pymq.testing", "--help"])


def test_twistd_knows_both_words(installed):
    """And takes their options."""
    listed = installed.check([installed.script("twistd"), "--help"])
    for name, setting in (("pymq-broker", "storePathRootDir"), ("pymq-namesrv", "kvConfigPath")):
        assert f"    {name} " in listed
        assert setting in installed.check([installed.script("twistd"), name, "--help"])


def test_a_broker_ends_as_it_was_asked_to(installed):
    """With status 0, at once."""
    with InstalledBroker(installed) as broker:
        broker.signal(signal.SIGTERM)
        assert broker.ended() == 0


def test_a_sample_of_each_manner(installed, broker):
    """All at once, for one waits some seconds for what may still come; each ends by itself, without an error."""
    texts = {manner: documents.programs()[name] for manner, name in MANNERS.items()}
    with ThreadPoolExecutor(len(texts)) as pool:
        runs = {manner: pool.submit(run_program, installed, broker.namesrv, text, manner) for manner, text in texts.items()}
    for manner, run in runs.items():
        assert WORDS[manner] in texts[manner]
        assert "SEND_OK" in run.result(), manner
        assert "hello 9" in run.result(), manner


def test_the_sdist_installs_the_same(environments, version, distributions):
    """File by file; and what is removed leaves nothing."""
    there = environments[version].sdist
    with zipfile.ZipFile(distributions.wheel) as wheel:
        for name in wheel.namelist():
            if not name.startswith(DIST_INFO):
                assert (there.site / name).read_bytes() == wheel.read(name), name
        assert (there.site / DIST_INFO / "entry_points.txt").read_bytes() == wheel.read(DIST_INFO + "entry_points.txt")
    there.pip("uninstall", "-q", "-y", "pymq-broker")
    assert not list(there.site.rglob("*pymq*"))
    assert not there.script("pymq-broker").exists()


@pytest.fixture(scope="module")
def with_extras(make_environment, newest, distributions):
    """The wheel with what makes the client fast and safe, under the newest Python."""
    return make_environment(newest, f"{distributions.wheel}[compression,tls]")


@pytest.fixture(scope="module")
def broker_for_samples(with_extras):
    """One broker for all samples, with all that they use switched on."""
    with InstalledBroker(with_extras, enablePropertyFilter="true") as running:
        yield running


@pytest.mark.parametrize("name", documents.programs())
def test_every_sample(with_extras, broker_for_samples, name):
    """Every program in the documents, run as a reader would run it."""
    printed = run_program(with_extras, broker_for_samples.namesrv, documents.programs()[name])
    if name.startswith("README"):
        assert "b'hello 9'" in printed
