"""A Redis URL is read in full, or refused in words that quote no password."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import parse_url

from bench import secrets
from bench.errors import UsageError
from bench.redisio.url import NodeAddress, RedisUser, Topology, from_environment, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", "redis://h:6379/0"),
        ("redis://h/", "redis://h:6379/0"),
        ("redis://h:7000/15", "redis://h:7000/15"),
        ("redis://h:7000?db=3", "redis://h:7000/3"),
        ("redis://u@h:1/0", "redis://h:1/0"),
        ("redis://u:p%40%2F@my_host.example:1/2", "redis://my_host.example:1/2"),
        ("redis://h?username=u&password=p%26q&db=2", "redis://h:6379/2"),
        ("redis://[::1]:1/2", "redis://[::1]:1/2"),
        ("rediss://h:1/2?ssl_cert_reqs=none&ssl_check_hostname=false", "rediss://h:1/2"),
        ("unix:///tmp/a.sock", "unix:///tmp/a.sock"),
        ("unix:///tmp/a.sock?db=5", "unix:///tmp/a.sock?db=5"),
        ("unix://u:p@/tmp/a%40b%20c.sock?db=5", "unix:///tmp/a@b%20c.sock?db=5"),
    ],
)
def test_what_is_shown_of_a_url_is_where_it_leads(url: str, address: str) -> None:
    assert parse(url).address == address
    used = parse_url(url)  # type: ignore[no-untyped-call]
    found = parse(url)
    assert found.database == used.get("db", 0)
    assert (found.host or found.path) == used.get("host", used.get("path"))
    assert (found.user.name, found.user.password) == (used.get("username"), used.get("password"))
    assert found.port == used.get("port", 0 if found.is_socket else 6379)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+sentinel://h/mymaster", "redis+sentinel://h:26379/mymaster/0"),
        ("redis+sentinel://h:1,i,[::1]:2/m/3", "redis+sentinel://h:1,i:26379,[::1]:2/m/3"),
        ("rediss+sentinel://u:p@h/m?db=2", "rediss+sentinel://h:26379/m/2"),
        ("redis+sentinel://h/a%2Fb", "redis+sentinel://h:26379/a%2Fb/0"),
        ("redis+cluster://h", "redis+cluster://h:6379/0"),
        ("rediss+cluster://u:p@h:1,i/", "rediss+cluster://h:1,i:6379/0"),
    ],
)
def test_what_is_shown_of_a_topology_is_who_is_asked_for_what(url: str, address: str) -> None:
    found = parse(url)
    assert found.address == address
    assert parse(found.address).nodes == found.nodes
    assert found.topology.value == found.scheme.partition("+")[2]
    assert found.is_encrypted == url.startswith("rediss")


def test_a_sentinel_has_users_of_its_own() -> None:
    found = parse(
        "redis+sentinel://me:p%40q@h:1,i:2/main/3?sentinel_username=s&sentinel_password=r%26t"
    )
    assert found.topology is Topology.SENTINEL
    assert found.nodes == (NodeAddress("h", 1), NodeAddress("i", 2))
    assert (found.master_name, found.database) == ("main", 3)
    assert found.user == RedisUser("me", "p@q")
    assert found.sentinel_user == RedisUser("s", "r&t")
    assert found.without_user == "redis+sentinel://h:1,i:2/main/3"


def test_only_loopback_nodes_are_on_this_machine() -> None:
    assert parse("redis+sentinel://127.0.0.1:1,[::1]:2/m").is_on_this_machine
    assert not parse("redis+sentinel://127.0.0.1:1,h:2/m").is_on_this_machine


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+sentinel://h", "names no master that can be read"),
        ("redis+sentinel://h/", "names no master that can be read"),
        ("redis+sentinel://h//0", "names no master that can be read"),
        ("redis+sentinel://h/a%20b", "names no master that can be read"),
        ("redis+sentinel://h/m/prod", "names no database that can be read"),
        ("redis+sentinel://h/m/0/1", "names no database that can be read"),
        ("redis+sentinel://h/m/1?db=1", "names a database twice"),
        ("redis+sentinel://h,/m", "has no host that can be read"),
        ("redis+sentinel://h:1,h:1/m", "names a node twice"),
        ("redis+sentinel://h,i:x/m", "has no port that can be read"),
        ("redis+sentinel://h/m?sentinel_pasword=x", "did you mean 'sentinel_password'?"),
        ("redis+sentinel://h/m?ssl_cert_reqs=none", "which only rediss:// has"),
        ("redis+cluster://h/1", "names a database, and a cluster has 0 alone"),
        ("redis+cluster://h/main", "names no database that can be read"),
        ("redis+cluster://h?sentinel_password=x", "which only redis+sentinel:// has"),
        ("redis://h:1,i:2/0", "names several hosts: write redis+sentinel://HOST,HOST/MASTER"),
        ("redis://h,i/0", "names several hosts"),
        ("redis+sentry://h/m", "must begin with redis://"),
        ("unix+sentinel:///tmp/s", "must begin with redis://"),
        ("", "must begin with redis://"),
        ("h:6379", "must begin with redis://"),
        ("REDIS://h", "must begin with redis://"),
        (" redis://h", "must begin with redis://"),
        ("redis://", "has no host that can be read"),
        ("redis://:6379/0", "has no host that can be read"),
        ("redis:///0", "has no host that can be read"),
        ("redis://::1:6379", "has no host that can be read"),
        ("redis://[::1:6379", "has no host that can be read"),
        ("redis://a..b/0", "a host with a part that is empty or too long"),
        ("redis://" + "a" * 64, "a host with a part that is empty or too long"),
        ("redis://h:/0", "has no port that can be read"),
        ("redis://h:x/0", "has no port that can be read"),
        ("redis://h:1:2/0", "has no port that can be read"),
        ("redis://h!/0", "has no port that can be read"),
        ("redis://h:0/0", "is out of range: it must be from 1 to 65535"),
        ("redis://h:65536/0", "is out of range: it must be from 1 to 65535"),
        ("redis://h/prod", "names no database that can be read"),
        ("redis://h/5abc", "names no database that can be read"),
        ("redis://h/1/2", "names no database that can be read"),
        ("redis://h/-1", "names no database that can be read"),
        ("redis://h/%35", "names no database that can be read"),
        ("redis://h/\N{ARABIC-INDIC DIGIT FIVE}", "names no database that can be read"),
        ("redis://h/2147483648", "names no database that can be read"),
        ("redis://h?db=x", "names no database that can be read"),
        ("redis://h/5?db=3", "names a database twice"),
        ("redis://h?db=1&db=2", "has the option 'db' twice"),
        ("redis://h?db=", "has no value that can be read for its option 'db'"),
        ("redis://h?password=", "has no value that can be read for its option 'password'"),
        ("redis://h?", "has an unknown option behind its '?'; remove it: there are db, username"),
        ("redis://h?decode_responses=True", "unknown option 'decode_responses' behind its '?'"),
        ("redis://h/0?protocol=3", "unknown option 'protocol'"),
        ("redis://h/0?socket_timeout=1", "unknown option 'socket_timeout'"),
        ("redis://h/0?retry_on_timeout=1", "unknown option 'retry_on_timeout'"),
        ("redis://h/0?foo=1", "unknown option 'foo'"),
        ("redis://h/0?pasword=sesame", "did you mean 'password'?"),
        ("redis://h?ssl_cert_reqs=none", "'ssl_cert_reqs', which only rediss:// has"),
        ("rediss://h?ssl_cert_reqs=off", "no value that can be read for its option 'ssl_cert"),
        ("redis://u:@h", "has an empty password"),
        ("redis://@h", "has an @, but no user or password"),
        ("redis://u:p@h?password=q", "in front of its host and in its query"),
        ("redis://h/0#1", "has a '#', behind which nothing is read"),
        ("redis://h/0\n", "holds a space, a line break"),
        ("redis://a b", "holds a space, a line break"),
        ("redis://:\udcff@h", "holds a space, a line break or another character"),
        ("redis://:a/b@h", "contains a reserved character: percent-encode @ as %40"),
        ("unix://tmp/a.sock", "must begin with a slash"),
        ("unix:///tmp/a%00b", "must begin with a slash"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


_SECRETS = st.text(st.sampled_from(":/?#[]@!$&'()*+,;=%\"\\ éaZ09"), min_size=1)


@given(
    _SECRETS,
    st.sampled_from(
        [
            "redis://:{}@h:x",
            "redis://h?password={}",
            "redis://h?foo={}",
            "redis+sentinel://h/m?sentinel_password={}",
            "redis+sentinel://:{}@h,i:x/m",
        ]
    ),
)
def test_no_message_quotes_a_password(secret: str, form: str) -> None:
    marked = f"Zq{secret}9z"
    try:
        shown = repr(parse(form.format(marked)))
    except UsageError as error:
        shown = str(error)
    assert marked not in shown


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for url in (
        text,
        f"redis://{text}",
        f"unix://{text}",
        f"rediss://h?{text}",
        f"redis+sentinel://{text}",
    ):
        try:
            found = parse(url)
        except UsageError:
            continue
        assert parse(found.without_user).address == found.address
        assert found.address.startswith(f"{found.scheme}://")


@given(
    st.sampled_from(["redis", "rediss", "unix"]),
    st.none() | _SECRETS,
    st.none() | _SECRETS,
    st.integers(0, 15),
)
def test_by_way_of_another_place_a_url_leads_to_the_same_database_as_the_same_user(
    scheme: str, name: str | None, password: str | None, database: int
) -> None:
    user = "".join(
        (
            "" if name is None else quote(name, safe=""),
            "" if password is None else f":{quote(password, safe='')}",
        )
    )
    at = f"{user}@" if user else ""
    if scheme == "unix":
        url = parse(f"unix://{at}/srv/a%20b?db={database}")
        moved = parse(url.moved(path="/run/of/mine?"))
        assert moved.path == "/run/of/mine?"
    else:
        url = parse(f"{scheme}://{at}db.example:6380/{database}")
        moved = parse(url.moved(host="127.0.0.1", port=4321))
        assert (moved.host, moved.port) == ("127.0.0.1", 4321)
    assert (moved.scheme, moved.database, moved.user) == (scheme, url.database, url.user)


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("rediss://a", "rediss://b:1/0?ssl_server_name=a"),
        ("rediss://a?ssl_server_name=c", "rediss://b:1/0?ssl_server_name=c"),
        ("rediss://b/3?ssl_cert_reqs=none", "rediss://b:1/3?ssl_cert_reqs=none"),
        ("redis://a", "redis://b:1/0"),
    ],
)
def test_by_way_of_another_place_tls_checks_the_name_of_the_server(url: str, moved: str) -> None:
    assert parse(url).moved(host="b", port=1) == moved


def test_an_address_of_a_url_in_a_text_shows_its_database_too() -> None:
    assert secrets.address("redis://u:p@h:1?db=3&password=x") == "redis://h:1?db=3"
    assert secrets.address("unix://u:p@/tmp/s?password=x&db=3") == "unix:///tmp/s?db=3"
    assert secrets.address("redis+sentinel://u:p@h:1,i/m/3?x=1") == "redis+sentinel://h:1,i/m/3"


def test_a_password_of_the_sentinels_is_a_secret() -> None:
    url = "redis+sentinel://h:1,i/m?sentinel_password=o%2Fpen"
    assert {"o/pen", "o%2Fpen"} <= secrets.url_secrets(url)
    assert secrets.has_password(url)
    assert secrets.hide(f"see {url}") == "see redis+sentinel://h:1,i/m"


def test_a_variable_that_is_set_and_empty_is_not_one_that_is_missing() -> None:
    assert from_environment({}) is None
    assert from_environment({"BENCH_REDIS_URL": "redis://h"}) == "redis://h"
    for value in ("", " ", "\n"):
        with pytest.raises(UsageError, match="BENCH_REDIS_URL is set, but empty"):
            from_environment({"BENCH_REDIS_URL": value})
