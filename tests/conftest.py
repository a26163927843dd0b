"""What the dialog scripts and the end-to-end tests share: the server.

One server serves all tests of a pytest process (of a worker, with xdist);
accounts have random names, so tests do not meet.  A test that needs its own
configuration starts a server of its own.
"""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

# the folders are distributed as they are, without compiled files
if sys.pycache_prefix is None:
    sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(__file__), folder)
                for folder in ("e2e", "net")]

import antiphon # noqa: E402
import authority as authorities # noqa: E402
import prosody  # noqa: E402
import s2s_peer # noqa: E402
import scene as scenes # noqa: E402


class Pool:
    """The shared server, and folders for others."""

    def __init__(self, folder, reports):
        self.folder, self.reports = folder, reports
        self.made = 0
        self.server = None
        against = os.environ.get("ANTIPHON_TEST_SERVER", "antiphon")
        self.make_server = {"antiphon": antiphon.Server,
                            "prosody": prosody.Prosody}[against]
        self.kind = against

    def new(self, conf=None):
        """A server that is not started yet; the caller stops it."""
        return self.make_server(self.new_folder("s"), conf,
                                os.path.join(self.folder, "certs"))

    def new_folder(self, name):
        """The name of one that nobody has."""
        self.made += 1
        return os.path.join(self.folder, "%s%d" % (name, self.made))

    def shared(self):
        if self.server is None or not self.server.alive():
            self.server = self.new().start()
        return self.server

    def close(self):
        if self.server is None:
            return
        try:
            self.server.stop()
        except AssertionError as e:
            # after the last test: only the exit status can tell
            with open(os.path.join(self.reports, str(os.getpid())), "w") as f:
                f.write(str(e))


def pytest_configure(config):
    worker = getattr(config, "workerinput", None)
    folder = tempfile.mkdtemp(prefix="antiphon-")
    reports = worker["antiphon_reports"] if worker else folder
    config.pool = Pool(folder, reports)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["antiphon_reports"] = node.config.pool.reports


def pytest_sessionfinish(session):
    pool = session.config.pool
    pool.close()
    if hasattr(session.config, "workerinput"):
        if not session.testsfailed:
            shutil.rmtree(pool.folder, ignore_errors=True)
        return
    for name in os.listdir(pool.reports):
        path = os.path.join(pool.reports, name)
        if name.isdigit() and os.path.isfile(path):
            with open(path) as f:
                sys.stderr.write("\nat the end: %s\n" % f.read())
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    # what failed leaves its configuration, log and database
    if session.exitstatus in (pytest.ExitCode.OK,
                              pytest.ExitCode.NO_TESTS_COLLECTED):
        shutil.rmtree(pool.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pool(request):
    return request.config.pool


@pytest.fixture
def server(pool):
    found = pool.shared()
    yield found
    found.check()


@pytest.fixture
def scene(server):
    found = scenes.Scene(server)
    yield found
    found.end()


@pytest.fixture
def open_path(pool):
    """A folder that users other than ours may enter, unlike pytest's own."""
    os.chmod(pool.folder, 0o755)
    folder = pathlib.Path(tempfile.mkdtemp(dir=pool.folder))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def own_server(pool):
    """A maker of servers with a configuration of their own."""
    made = []

    def make(conf=None, start=True):
        made.append(pool.new(conf))
        return made[-1].start() if start else made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def authority(pool):
    """Who signs the certificates of other servers; whoever wants it to be believed
    says so in `federation'."""
    folder = tempfile.mkdtemp(dir=pool.folder)
    os.chmod(folder, 0o755)
    return authorities.Authority(os.path.join(folder, "authority"))


@pytest.fixture
def host(authority):
    """The other server of one domain, to which ours opens streams."""
    found = s2s_peer.Host(s2s_peer.PEER,
                          authority.issue("good", s2s_peer.PEER))
    yield found
    found.end()


def pytest_collection_modifyitems(config, items):
    # several processes: each begins with a row of tests, a quarter of its share,
    # which is not to be a file whose tests all take long
    n = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [item for i in range(n) for item in items[i::n]]
    for item in items:
        only = item.get_closest_marker("only")
        if only and config.pool.kind not in only.args:
            item.add_marker(pytest.mark.skip(
                reason="for " + ", ".join(only.args)))
