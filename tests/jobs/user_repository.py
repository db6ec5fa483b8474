"""A small repository of a user's, whose worker has two revisions: tagged ``fast`` and ``slow``."""

import subprocess
import sys
from pathlib import Path

WORKER = """
import sys
import time

import redis

server, queues, pause_s = sys.argv[1], sys.argv[2].split(","), PAUSE
client = redis.Redis.from_url(f"redis://{server}", decode_responses=True)
while True:
    popped = client.brpop([f"asynq:{queue}:pending" for queue in queues], timeout=1)
    if popped is None:
        continue
    queue, task = popped[0].split(":")[1], popped[1]
    client.lpush(f"asynq:{queue}:active", task)
    client.hset(f"asynq:t:{task}", "state", "active")
    time.sleep(pause_s)
    client.lrem(f"asynq:{queue}:active", 1, task)
    client.hset(f"asynq:t:{task}", "state", "completed")
"""
COMMAND = f"{sys.executable} built.py {{host}}:{{port}} {{queues}}"
SETUP = "cp worker.py built.py"
SLOW_S = 0.05


def git(folder: Path, *words: str) -> str:
    """Run git as somebody; what it prints."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def make(folder: Path) -> Path:
    """Make the repository on its branch ``main``, with ``slow`` checked out."""
    folder.mkdir()
    git(folder, "init", "--initial-branch", "main")
    (folder / ".gitignore").write_text("built.py\nsecret\n")
    for tag, pause_s in (("fast", 0.0), ("slow", SLOW_S)):
        (folder / "worker.py").write_text(WORKER.replace("PAUSE", str(pause_s)))
        git(folder, "add", ".")
        git(folder, "commit", "--message", tag)
        git(folder, "tag", tag)
    return folder
