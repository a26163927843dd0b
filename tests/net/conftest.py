"""The network of all tests here, and what its servers say while one of them fails.

One process of pytest has one network: run them in one, or with --dist loadfile.
"""

import pytest

import network as net
from everybody import everybody
from network import Network


@pytest.fixture(scope="session")
def network(pool):
    if net.lacks():
        pytest.skip(net.lacks())
    made = Network(pool.new_folder("net"))
    everybody(made)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def well(request):
    """No server ends by itself, or logs what alarms."""
    yield
    network = request.node.funcargs.get("network")
    for server in network.servers if network else ():
        server.check()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield
    network = getattr(item, "funcargs", {}).get("network")
    item.marks = network and network.marks()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    marks = getattr(item, "marks", None)
    if report.failed and marks:
        report.sections.extend(item.funcargs["network"].since(marks))
