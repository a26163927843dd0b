"""What `make install` puts where, and that it runs from there."""

import glob
import os
import pwd
import re
import shutil
import stat
import subprocess

import pytest

import antiphon
from process import Process, certificates

pytestmark = [pytest.mark.only("antiphon"), pytest.mark.once]
EXAMPLES = sorted(glob.glob(os.path.join(antiphon.TOP, "conf", "examples",
                                         "*.yml")))


def make(*args):
    done = subprocess.run(["make", "-s", "-C", antiphon.build_dir(), *args],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Paths from the root, such as /usr/bin/x, to where they are."""
    folder = str(tmp_path_factory.mktemp("installed"))
    make("install", "DESTDIR=" + folder)
    return {path[len(folder):]: path for path in files(folder)}


def files(folder):
    return [os.path.join(where, name)
            for where, _, names in os.walk(folder) for name in names]


def find(installed, end):
    found, = (path for path in installed if path.endswith(end))
    return installed[found]


@pytest.mark.parametrize("name", [
    "/lib/systemd/system/antiphon.service", "/lib/sysusers.d/antiphon.conf",
    "/lib/tmpfiles.d/antiphon.conf", "/logrotate.d/antiphon",
    "/bash-completion/completions/antiphonctl", "/antiphon/certbot-deploy",
    "/antiphon/antiphond.yml"])
def test_all_that_an_installation_wants_is_there(installed, name):
    with open(find(installed, name)) as f:
        assert not re.search(r"@[a-z]+@", f.read())


def test_modules_are_installed_without_files_of_libtool(installed):
    assert [path for path in installed if path.endswith(".la")] == []
    assert len([p for p in installed if "/modules/mod_" in p]) > 5


def test_the_service_starts_what_is_installed(installed):
    with open(find(installed, "/antiphon.service")) as f:
        unit = f.read()
    for path in re.findall(r"^Exec\w+=(\S+) --config", unit, re.M):
        assert os.access(installed[path], os.X_OK)
    for path in re.findall(r"--config (\S+)", unit):
        assert path in installed


def test_folders_are_made_where_the_configuration_has_them(installed):
    with open(find(installed, "/tmpfiles.d/antiphon.conf")) as f:
        made = re.findall(r"^d (\S+)", f.read(), re.M)
    with open(find(installed, "/antiphond.yml")) as f:
        conf = f.read()
    for option in "path", "socket":
        wanted, = re.findall(r"^  %s: (\S+)" % option, conf, re.M)
        assert os.path.dirname(wanted) in made


def test_the_configuration_is_not_for_everybody(installed):
    found = os.stat(find(installed, "/antiphond.yml"))
    assert stat.S_IMODE(found.st_mode) == 0o640


def test_all_is_uninstalled(tmp_path):
    make("install", "DESTDIR=" + str(tmp_path))
    make("uninstall", "DESTDIR=" + str(tmp_path))
    assert files(str(tmp_path)) == []


def test_what_the_administrator_wrote_stays(tmp_path):
    make("install", "DESTDIR=" + str(tmp_path))
    conf, = (p for p in files(str(tmp_path)) if p.endswith("/antiphond.yml"))
    with open(conf, "w") as f:
        f.write("mine\n")
    make("install", "DESTDIR=" + str(tmp_path))
    make("uninstall", "DESTDIR=" + str(tmp_path))
    assert files(str(tmp_path)) == [conf] and open(conf).read() == "mine\n"


# --- configurations ---------------------------------------------------------

def program(name):
    return os.path.join(antiphon.build_dir(), name)


def runs(folder, text):
    """Starts a configuration as the user that it would be, with files in
    folder, and ports that are free."""
    text = re.sub(r"port: \d+", "port: 0", text)
    text = text.replace("192.0.2.1", "127.0.0.1")
    text = text.replace("user: antiphon\n", "user: nobody\n")
    for option, name in ("socket", "ctl"), ("path", "db"), ("file", "log"):
        text = re.sub(r"(?m)^  %s: \S+" % option,
                      "  %s: %s" % (option, folder / name), text)
    if "\ncontrol:" not in text:
        text += "\ncontrol: { socket: %s/ctl }\n" % folder
    if "\nstorage:" not in text:
        text += "\nstorage: { path: %s/db }\n" % folder
    if "\nlisten:" not in text:
        text += "\nlisten: [ { kind: c2s, port: 0, tls: direct } ]\n"
    conf = folder / "antiphond.yml"
    conf.write_text(text)
    who = pwd.getpwnam("nobody")
    if os.getuid() == 0:
        os.chown(folder, who.pw_uid, who.pw_gid)
    server = Process([program("antiphond"), "--config", str(conf),
                      "--module-dir", program("modules/.libs"), "--daemon"],
                     str(folder / "start"))
    assert server.wait() == 0, server.tail()
    ctl = [program("antiphonctl"), "--socket", str(folder / "ctl")]
    try:
        done = subprocess.run([*ctl, "reload"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run([*ctl, "stop"], check=False)


def test_the_configuration_runs_as_it_is_installed(installed, open_path):
    with open(find(installed, "/antiphond.yml")) as f:
        runs(open_path, f.read())


@pytest.mark.parametrize("example", EXAMPLES, ids=os.path.basename)
def test_examples_run_once_their_files_are_there(example, open_path):
    with open(example) as f:
        text = f.read()
    assert "# To set: " in text
    made = certificates(str(open_path / "certs"), ["example.org"])
    for path in re.findall(r"(?:certificate|key): (/\S+)", text):
        into = open_path / os.path.basename(path)
        names = ["server.key"] if path.endswith(".key") else ["server.crt"]
        if not path.endswith(".key") and (
                "key: " + path[:-4] + ".key" not in text):
            names += ["server.key"]
        into.write_text("".join(open(made[name]).read() for name in names))
        into.chmod(0o644)
        text = text.replace(path + "\n", str(into) + "\n")
    assert "/etc/antiphon" not in text.split("hosts:")[1]
    runs(open_path, text)


# --- certificates that certbot renews ------------------------------------------

def deploy(script, conf, lineage, domains, module_dir):
    wrapped = os.path.join(os.path.dirname(conf), "antiphond.sh")
    with open(wrapped, "w") as f:
        f.write('#!/bin/sh\nexec %s --module-dir %s "$@"\n'
                % (program("antiphond"), module_dir))
    os.chmod(wrapped, 0o755)
    env = dict(os.environ, RENEWED_LINEAGE=str(lineage),
               RENEWED_DOMAINS=domains, ANTIPHON_CONFIG=str(conf),
               ANTIPHOND=wrapped,
               ANTIPHONCTL=program("antiphonctl"))
    return subprocess.run(["sh", script], env=env, capture_output=True,
                          text=True)


@pytest.mark.skipif(os.getuid() != 0, reason="certbot runs as root")
def test_renewed_certificates_reach_the_server(installed, pool, tmp_path):
    server = pool.new()
    folder = os.path.join(server.folder, "keys")
    os.mkdir(folder)
    for name in "server.crt", "server.key":
        shutil.copy(server.certs[name], folder)
    paths = {"certificate": folder + "/server.crt",
             "key": folder + "/server.key"}
    server.conf["user"] = "nobody"
    server.conf["hosts"] = {server.domain: paths,
                            server.other_domain: {
                                "certificate": server.certs["server.crt"],
                                "key": server.certs["server.key"]}}
    server.start()
    lineage = tmp_path / "live"
    made = certificates(str(lineage), [server.domain])
    os.rename(made["server.crt"], lineage / "fullchain.pem")
    os.rename(made["server.key"], lineage / "privkey.pem")
    before = open(server.certs["server.crt"]).read()
    script = find(installed, "/certbot-deploy")

    done = deploy(script, server.conf_path, lineage, "www.else.test",
                  server.module_dir())
    assert done.returncode == 0, done.stderr
    assert open(paths["certificate"]).read() == before, "not for this server"

    done = deploy(script, server.conf_path, lineage,
                  "www.else.test " + server.domain, server.module_dir())
    assert done.returncode == 0, done.stdout + done.stderr
    renewed = (lineage / "fullchain.pem").read_text()
    assert open(paths["certificate"]).read() == renewed
    assert open(server.certs["server.crt"]).read() == before
    found = os.stat(paths["key"])
    assert stat.S_IMODE(found.st_mode) == 0o640 and found.st_uid == 0
    assert found.st_gid == pwd.getpwnam("nobody").pw_gid
    # the server has them in use
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d"
         % server.ports["direct"], "-servername", server.domain],
        input="", capture_output=True, text=True).stdout
    pem = re.search(r"-----BEGIN CERT.*?-----END CERTIFICATE-----", shown,
                    re.S).group()
    assert pem in renewed
    server.stop()
    # without a server it is enough that the files are there
    done = deploy(script, server.conf_path, lineage, server.domain,
                  server.module_dir())
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="certbot runs as root")
def test_a_deploy_without_a_configuration_fails(installed, tmp_path):
    done = deploy(find(installed, "/certbot-deploy"),
                  str(tmp_path / "none.yml"), tmp_path, "a.test", program("modules/.libs"))
    assert done.returncode != 0
