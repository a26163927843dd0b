"""The daemon as a whole: start, stop, control, what lasts."""

import os
import signal
import subprocess

import pytest

import scene as scenes
from client import Client, Closed
from process import Failed

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.plain]


def test_stop_tells_clients(own_server):
    """RFC 6120 §4.9.3.20: system-shutdown, on every stream."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    streams = [scene.online("romeo/%d" % i) for i in range(3)]
    streams.append(Client(server).secure())
    server.stop()
    for c in streams:
        c.inbox[:] = [e for e in c.inbox if e.name == "error"]
        got = c.take(lambda e: e.name == "error", "the stream error")
        assert got.elems()[0].name == "system-shutdown"
        c.drop()


def test_restart_keeps_what_lasts(own_server):
    server = own_server()
    scene = scenes.Scene(server, ("romeo", "juliet"))
    scene.befriend("romeo", "juliet")
    romeo = scene.online("romeo/a")
    romeo.iq("set", "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>")
    scene.send("romeo/a", "<message to='{juliet}'><body>x</body></message>")
    romeo.ping()
    scene.end()
    server.restart()
    romeo = scene.online("romeo/a")
    item = romeo.roster()[scene.binds["juliet"]]
    assert item.get("subscription") == "both"
    assert "<FN>R" in str(romeo.iq("get", "<vCard xmlns='vcard-temp'/>"))
    juliet = scene.online("juliet/j")
    assert [e.child("body").text() for e in juliet.inbox
            if e.is_("message")] == ["x"]
    scene.end()


def test_no_message_is_lost_or_doubled_in_a_crash(own_server):
    """What was answered is there after kill -9; nothing is there twice."""
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    done = []
    for i in range(50):
        romeo.iq("set", "<query xmlns='jabber:iq:roster'>"
                 "<item jid='c%d@x.test'/></query>" % i)
        done.append("c%d@x.test" % i)
    for i in range(50, 100):
        romeo.send("<iq type='set' id='%d'><query xmlns='jabber:iq:roster'>"
                   "<item jid='c%d@x.test'/></query></iq>" % (i, i))
    server.kill9()
    try:
        while True:
            got = romeo.next()
            if got.is_("iq") and got.get("type") == "result":
                done.append("c%s@x.test" % got.get("id"))
    except (Closed, AssertionError):
        pass
    scene.end()
    server.start()
    assert set(done) <= set(scene.login("romeo/b").roster())
    scene.end()


def test_accounts_by_the_control_program(server):
    server.adduser("ctl-romeo", "secret-one")
    Client(server).login("ctl-romeo", "secret-one").close()
    done = server.ctl("adduser", "ctl-romeo@" + server.domain,
                      stdin="secret-two\n", ok=False)
    assert done.returncode != 0 and done.stderr
    server.ctl("passwd", "ctl-romeo@" + server.domain, stdin="secret-two\n")
    c = Client(server).secure()
    assert c.auth_step("PLAIN", "ctl-romeo", "secret-one").name == "failure"
    c.auth("ctl-romeo", "secret-two").bind()
    server.ctl("deluser", "ctl-romeo@" + server.domain)
    c.expect_error("not-authorized")


def test_kick(scene):
    scene.add_accounts("romeo")
    a = scene.login("romeo/a")
    b = scene.login("romeo/b")
    scene.server.ctl("kick", b.jid)
    b.expect_error("policy-violation")
    a.ping()


def test_unknown_command(server):
    done = server.ctl("nonsense", ok=False)
    assert done.returncode != 0 and "nonsense" in done.stderr


def test_no_secret_in_the_log(own_server):
    """hostile-72"""
    server = own_server({"modules": {"register": {"allow": "yes"}}})
    server.adduser("romeo", "open-sesame-1")
    c = Client(server).login("romeo", "open-sesame-1")
    c.iq("set", "<query xmlns='jabber:iq:register'><username>romeo</username>"
         "<password>open-sesame-2</password></query>")
    c.send("<message to='romeo@%s'><body>open-sesame-3</body></message>"
           % server.domain)
    c.ping()
    bad = Client(server).secure()
    bad.auth_step("PLAIN", "romeo", "open-sesame-4")
    server.stop()
    with open(os.path.join(server.folder, "log")) as f:
        assert "open-sesame" not in f.read()


def test_check_config_names_the_mistake(own_server):
    server = own_server()
    bad = os.path.join(server.folder, "bad.yml")
    with open(bad, "w") as f:
        f.write("hosts:\n  a.test:\n    certifcate: x\nnonsense: 1\n")
    done = subprocess.run(
        [os.path.join(server.build, "antiphonctl"), "check-config", bad],
        capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "bad.yml:3" in said and "certificate" in said
    assert "nonsense" in said


def test_reload_of_a_bad_configuration_changes_nothing(own_server):
    server = own_server()
    scene = scenes.Scene(server, ("romeo",))
    romeo = scene.login("romeo/a")
    with open(server.conf_path) as f:
        good = f.read()
    with open(server.conf_path, "w") as f:
        f.write("nonsense: yes\n")
    done = server.ctl("reload", ok=False)
    assert done.returncode != 0 and "nonsense" in done.stdout + done.stderr
    romeo.ping()
    with open(server.conf_path, "w") as f:
        f.write(good)
    server.ctl("reload")
    romeo.ping()
    scene.login("romeo/b").ping()
    scene.end()


def test_two_signals_end_it_once(own_server):
    server = own_server()
    process = server.process
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGTERM)
    server.process = None
    assert process.wait() == 0


@pytest.mark.parametrize("what", ("load", "kick", "create", "remove", "turn",
                                  "kept"))
def test_no_answer_comes_before_its_call_has_returned(own_server, what):
    """As long as an operation is being asked for, whoever asks stands on what
    the answer would free.  A kept iq that is answered at once is safe."""
    server = own_server({"modules": {"testearly": {}}, "shards": 1})
    scene = scenes.Scene(server)
    scene.add_accounts("romeo")
    romeo = scene.online("romeo/a")
    for _ in range(3):
        got = romeo.iq("get", "<early xmlns='urn:antiphon:test:early' "
                       "what='%s'/>" % what)
        assert got.get("type") == "result", got
    romeo.quiet()
    server.check()


def refused(pool, conf, *options):
    """What one that does not start says."""
    other = pool.new(conf)
    other.write_conf()
    done = subprocess.run(
        [other.program(), "--config", other.conf_path, "--module-dir",
         other.module_dir(), *options], capture_output=True, text=True,
        timeout=60, **other.unprivileged())
    assert done.returncode == 1
    return done.stderr


def test_a_second_server_does_not_start(own_server, pool):
    server = own_server()
    server.adduser("romeo", "secret")
    path = server.conf["storage"]["path"]
    pid_file = os.path.join(server.folder, "other.pid")
    with open(pid_file, "w") as f:
        f.write("1\n")
    os.chmod(pid_file, 0o666)
    said = refused(pool, {"storage": {"path": path}, "pid_file": pid_file})
    assert "%s is in use by another antiphond (process %d)" % (
        path, server.process.proc.pid) in said
    assert open(pid_file).read() == "1\n"
    listen = [dict(server.conf["listen"][0], port=server.port("starttls"))]
    said = refused(pool, {"listen": listen})
    assert "port %d" % server.port("starttls") in said
    assert "another process listens there already" in said
    server.restart()


def test_a_database_that_is_lost_is_asked_for(own_server):
    server = own_server()
    server.adduser("romeo", "secret")
    server.stop()
    os.unlink(server.conf["storage"]["path"])
    with pytest.raises(Failed, match="there was a database, and now it is gone"):
        server.start()
    server.process = None
    server.start("--new")
    server.adduser("romeo", "another")
    server.restart()
