"""What error replies mean: as servers of several versions word them."""

import pytest

from bench.wire.refusals import Refusal, code_of, refusal_of

MEANINGS = [
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL", Refusal.LATER),
    ("LOADING Redis is loading the dataset in memory", Refusal.LATER),
    (
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'.",
        Refusal.LATER,
    ),
    ("READONLY You can't write against a read only replica.", Refusal.LATER),
    ("UNBLOCKED force unblock from blocking operation, instance state changed", Refusal.LATER),
    ("OOM command not allowed when used memory > 'maxmemory'.", Refusal.LATER),
    ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable", Refusal.LATER),
    ("CLUSTERDOWN Hash slot not served", Refusal.LATER),
    ("NOREPLICAS Not enough good replicas to write.", Refusal.LATER),
    (
        "OOM command not allowed when used memory > 'maxmemory'. script: f8a, on @user_script:2.",
        Refusal.LATER,
    ),
    (
        "ERR Error running script (call to f_8a): @user_script:2: @user_script: 2: -OOM command "
        "not allowed when used memory > 'maxmemory'.",
        Refusal.LATER,
    ),
    (
        "ERR Error running script (call to f_8a): @user_script:2: -READONLY You can't write "
        "against a read only replica.",
        Refusal.LATER,
    ),
    ("NOSCRIPT No matching script. Please use EVAL.", Refusal.SCRIPT_UNKNOWN),
    ("ERR unknown command 'BLMPOP', with args beginning with: '2'", Refusal.COMMAND_UNKNOWN),
    ("ERR unknown command `BLMPOP`, with args beginning with: ", Refusal.COMMAND_UNKNOWN),
    ("ERR wrong number of arguments for 'rpop' command", Refusal.COMMAND_UNKNOWN),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Refusal.KEY),
    (
        "WRONGTYPE Operation against a key holding the wrong kind of value script: f8a, on "
        "@user_script:2.",
        Refusal.KEY,
    ),
    ("ERR hash value is not an integer", Refusal.KEY),
    ("DUPLICATE a task with this id exists already", Refusal.KEY),
    ("", Refusal.KEY),
    ("NOPERM User x has no permissions to run the 'hset' command", Refusal.FORBIDDEN),
    ("NOAUTH Authentication required.", Refusal.FORBIDDEN),
    ("MOVED 3999 127.0.0.1:6381", Refusal.FORBIDDEN),
    ("CROSSSLOT Keys in request don't hash to the same slot", Refusal.FORBIDDEN),
]


@pytest.mark.parametrize(("message", "meaning"), MEANINGS)
def test_an_error_reply_says_what_to_do_about_its_command(message: str, meaning: Refusal) -> None:
    assert refusal_of(message) is meaning


def test_the_code_of_an_error_within_a_script_is_its_own() -> None:
    assert code_of("ERR Error running script (call to f_8a): -OOM command not allowed") == "OOM"
    assert code_of("ERR hash value is not an integer") == "ERR"
    assert code_of("garbage of another kind") == "ERR"
