from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from headrace import errors
from headrace.servers import PrivateServer, RedisProbe, RedisServer
from headrace.servers.filesystem import filesystem_of
from headrace.servers.launch import find_binary
from headrace.servers.resp import RespClient

pytestmark = pytest.mark.broker


def alive(pid: int) -> bool:
    """Whether process ``pid`` runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_redis_answers_as_soon_as_start_returns(redis_server):
    assert redis_server.call("PING") == b"PONG"
    assert redis_server.url == f"redis://127.0.0.1:{redis_server.port}"


def test_data_and_port_survive_sigkill_and_restart(make_redis_server):
    server = make_redis_server(appendfsync="always")
    server.call("XADD", "topic", "*", "id", "1")
    port = server.port

    server.kill()
    assert not server.running
    server.restart()

    assert server.port == port
    assert server.call("XLEN", "topic") == 1


def test_stop_leaves_neither_process_nor_folder():
    with RedisServer() as server:
        pid, folder = server.pid, server.directory
    assert not alive(pid)
    assert not folder.exists()
    server.stop()  # again, harmlessly


def test_a_given_folder_is_kept(tmp_path):
    with RedisServer(directory=tmp_path) as server:
        server.call("SET", "key", "value")
    with RedisServer(directory=tmp_path) as server:
        assert server.call("GET", "key") == b"value"


def test_config_says_what_an_acknowledgement_means(make_redis_server):
    config = make_redis_server(appendfsync="always", extra={"maxmemory": "64mb"}).config()
    assert config["server"] == "redis"
    assert config["version"][0].isdigit()
    assert config["appendfsync"] == "always"
    assert config["maxmemory"] == str(64 * 1024 * 1024)


@pytest.mark.parametrize(
    "settings",
    [{"password": 'p:@/ "w'}, {"unix_socket": True}, {"tls": True}],
    ids=["password", "unix_socket", "tls"],
)
def test_each_way_in_works_by_url_alone(make_redis_server, settings):
    assert make_redis_server(**settings).call("PING") == b"PONG"


def test_a_deep_folder_does_not_break_the_unix_socket(tmp_path):
    deep = tmp_path / ("d" * 100)
    with RedisServer(unix_socket=True, directory=deep) as server:
        assert server.call("PING") == b"PONG"
        assert not server.url.startswith(f"unix://{deep}")


def test_the_file_system_under_the_data_is_named(redis_server):
    assert redis_server.config()["data_filesystem"] == filesystem_of(redis_server.directory)
    assert filesystem_of("/proc/self") == "proc"


def test_a_password_is_demanded(make_redis_server):
    server = make_redis_server(password="secret")
    url = f"redis://{server.host}:{server.port}"
    with RespClient(url) as stranger, pytest.raises(errors.ServerError, match="NOAUTH"):
        stranger.call("PING")


def test_usage_counts_over_restarts(redis_server):
    redis_server.call("EVAL", "for i = 1, 3000000 do end", "0")
    before = redis_server.cpu_seconds()
    assert before > 0
    assert redis_server.memory_bytes() > 1_000_000

    redis_server.kill()
    assert redis_server.usage() == (pytest.approx(before, abs=0.5), 0)
    redis_server.restart()
    assert redis_server.cpu_seconds() >= before


def test_a_server_that_cannot_start_shows_its_log():
    server = RedisServer(extra={"maxmemory": "lots"})
    with pytest.raises(errors.BrokerError, match="maxmemory"):
        server.start()
    assert not server.running


@pytest.mark.parametrize(
    "settings",
    [{"appendfsync": "sometimes"}, {"extra": {"bad key": 1}}, {"extra": {"save": "1\n2"}}],
)
def test_bad_settings_are_refused_at_once(settings):
    with pytest.raises(errors.InvalidArgument):
        RedisServer(**settings)


def test_a_missing_program_names_the_package_to_install():
    with pytest.raises(errors.NotFound, match="apt install some-package"):
        find_binary("no-such-server", "some-package")


def test_the_server_dies_with_the_process_that_started_it(tmp_path):
    program = (
        "import os, sys\nfrom headrace.servers import RedisServer\n"
        "server = RedisServer(directory=sys.argv[1])\nserver.start()\nprint(server.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        handle = os.pidfd_open(pid)
        parent.kill()
    try:
        assert select.select([handle], [], [], 5.0)[0], "redis-server outlived its parent"
    finally:
        os.close(handle)


def test_the_broker_knows_what_a_group_has_still_to_do(redis_server):
    probe = RedisProbe(redis_server.url)
    assert probe.backlog("topic", "group") is None
    redis_server.call("XGROUP", "CREATE", "topic", "group", "0", "MKSTREAM")
    for number in range(3):
        redis_server.call("XADD", "topic", "*", "id", number)
    assert probe.backlog("topic", "group") == 3

    reply = redis_server.call("XREADGROUP", "GROUP", "group", "me", "COUNT", 2, "STREAMS", "topic", ">")
    assert probe.backlog("topic", "group") == 3  # one unread, two unacknowledged
    redis_server.call("XACK", "topic", "group", *[entry[0] for entry in reply[0][1]])
    assert probe.backlog("topic", "group") == 1

    probe.delete("topic")
    assert redis_server.call("EXISTS", "topic") == 0


def test_repr_says_where_it_is(redis_server: PrivateServer):
    assert redis_server.url in repr(redis_server)
    assert "not running" in repr(RedisServer())
