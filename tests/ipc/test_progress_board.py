"""The counters that producers share with an observer."""

from pathlib import Path

from bench.ipc.progress_board import ProgressBoard


def test_what_a_producer_notes_on_the_board_is_what_an_observer_reads(tmp_path: Path) -> None:
    written = ProgressBoard.make(tmp_path / "board", 2)
    read = ProgressBoard(tmp_path / "board", 2)
    assert (read.sent(1), read.answered_before(1), read.enqueued) == (0, 0, 0)
    written.note(0, 10, 7, 6)
    written.note(1, 5, 5, 4)
    assert (read.sent(0), read.answered_before(0)) == (10, 7)
    assert (read.sent(1), read.answered_before(1), read.enqueued) == (5, 5, 10)
    assert read.excluded(0) == set()
    written.exclude(0, [3, 1])
    written.note(0, 11, 8, 6)
    written.exclude(0, [9])
    assert (read.excluded(0), read.excluded(1)) == ({1, 3, 9}, set())
    assert (read.sent(0), read.enqueued) == (11, 10)
