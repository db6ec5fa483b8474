"""The generated Python is what the compiler makes of our ``.proto``."""

from pathlib import Path

import pytest

from bench.layouts.asynq import protobuf

FOLDER = Path(protobuf.__file__).parent
SOURCE = "bench/layouts/asynq/protobuf/task_message.proto"


def test_the_generated_python_is_up_to_date(tmp_path: Path) -> None:
    protoc = pytest.importorskip(
        "grpc_tools.protoc", reason="the protobuf compiler comes with the dev tools"
    )
    root = FOLDER.parents[3]
    words = ["protoc", f"-I{root}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    assert protoc.main([*words, str(root / SOURCE)]) == 0
    for name in ("task_message_pb2.py", "task_message_pb2.pyi"):
        made = (tmp_path / Path(SOURCE).parent / name).read_text()
        assert made == (FOLDER / name).read_text()
