"""What a device owes its server, whatever else it is doing."""

import asyncio
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import plan  # noqa: E402
from device import Device  # noqa: E402
from sm import SM  # noqa: E402
from story import Story  # noqa: E402
from xmltree import STREAM, StreamReader  # noqa: E402

pytestmark = pytest.mark.once


class Writer(list):
    write = list.append

    def is_closing(self):
        return False


class World:
    calm = False


def of_the_server(text):
    out = []
    StreamReader(out.append).feed(
        ("<stream:stream xmlns='jabber:client' xmlns:stream='%s'>%s"
         % (STREAM, text)).encode())
    return out[-1]


@pytest.mark.parametrize("live", (True, False))
def test_who_is_asked_says_what_he_has_also_while_he_comes(live):
    """XEP-0198 §4: he MUST; who reads his archive before he is available, as well."""
    of = plan.Device("j", "juliet", "j", 0, [])
    story = Story(1, [of])
    device = Device(of, None, story, World)
    device.session, device.sm_id = story.session("j"), "sm"
    device.writer, device.live, device.got = Writer(), live, 7

    async def is_asked():
        device.handle(of_the_server("<r xmlns='%s'/>" % SM))
        while device.acks_due is not None:
            await asyncio.sleep(0)

    asyncio.run(is_asked())
    assert device.writer == [b"<a xmlns='%s' h='7'/>" % SM.encode()]
