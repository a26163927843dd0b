"""Makes each .dlg file a test."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import dialog # noqa: E402


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".dlg":
        return DialogFile.from_parent(parent, path=file_path)
    return None


class DialogFile(pytest.File):
    def collect(self):
        yield DialogItem.from_parent(self, name=self.path.stem)


class DialogItem(pytest.Item):
    def runtest(self):
        pool = self.config.pool
        script = dialog.Script(str(self.path))
        reason = script.unfit(pool.kind)
        if reason:
            pytest.skip(reason)
        if script.conf is None:
            server = pool.shared()
            dialog.play(script, server)
            server.check()
            return
        server = pool.new(script.conf).start()
        try:
            dialog.play(script, server)
        finally:
            server.stop()

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, (AssertionError, dialog.BadScript)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, self.name
