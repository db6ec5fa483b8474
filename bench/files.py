"""Writes files whole or not at all."""

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import descriptors
from bench.errors import UsageError

_LEAST_SPACE = 1 << 16
"""Bytes: as much as the record of a short run."""
_SHARED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - only new files of this user's own
"""Where there is room for what fits neither into its place nor into the temporary folder."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or the previous one, and never a part.

    Missing folders are made. Links are followed, and the mode of a file that exists is kept. A
    pipe, a character device or an open descriptor is written to. A file with several names, or
    whose owner or folder does not allow a new file in its place, is overwritten where it is, and
    then not in one step.

    Raises UsageError when the file cannot be written.
    """
    try:
        _write(path, data)
    except OSError as error:
        raise UsageError(refusal(path, error)) from None


def save(path: Path, data: bytes) -> None:
    """Write what a measurement found: what cannot be saved there is saved in a folder for temporary
    files, or in the user's home.

    As ``write_whole``. The message of the UsageError says where the data are.
    """
    try:
        _write(path, data)
    except OSError as error:
        why = refusal(path, error)
        for folder in _refuges():
            try:
                elsewhere = _saved_in(folder, path.name, data)
            except OSError:
                continue
            raise UsageError(f"{why}; it was saved as {elsewhere}") from None
        raise UsageError(
            f"{why}; nor can any folder for temporary files, so it is lost: free space on the "
            "disk, and repeat the measurement"
        ) from None


def require_writable(path: Path) -> None:
    """Raise UsageError when a file cannot be written, before a measurement rather than after it.

    Missing folders are made. A disk without space for a small record is told, too.
    """
    try:
        place = _Place.of(path)
        if place.is_stream:
            number = descriptors.opened(path)
            if number is None:
                _require_access(path)
            else:
                os.close(number)
        elif place.found is None:
            os.close(os.open(place.target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            place.target.unlink()
            _require_space(place.target.parent)
        else:
            _require_access(place.target)
            if os.access(place.target.parent, os.W_OK):
                _require_space(place.target.parent)
    except OSError as error:
        raise UsageError(refusal(path, error)) from None


def require_file(path: Path, why: str) -> None:
    """As ``require_writable``, and raise UsageError for a pipe, a device or an open descriptor.

    ``why`` says what is done with the file that needs one: "the search is saved after each trial".
    """
    require_writable(path)
    if is_stream(path):
        raise UsageError(f"{path} is no file on a disk, but {why}: name a file")


def is_stream(path: Path) -> bool:
    """Whether what is written there is passed on rather than stored, so that nobody reads it from
    there, and a second document would follow the first."""
    try:
        return _Place.of(path).is_stream
    except OSError:
        return False


def is_standard_output(path: Path | None) -> bool:
    """Whether what is written there comes out of standard output, where it is to stand alone."""
    if path is None or not is_stream(path):
        return False
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptors.STANDARD_OUTPUT))
    except OSError:
        return False


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # "file exists" would be misleading
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None


def _refuges() -> Iterator[Path]:
    """Folders in which something can be saved that nobody has asked for there."""
    with contextlib.suppress(OSError):  # none of them can be written to
        yield Path(tempfile.gettempdir())
    yield from _SHARED
    with contextlib.suppress(RuntimeError):  # nobody's home is known
        yield Path.home()


def _saved_in(folder: Path, name: str, data: bytes) -> Path:
    """Write a new file, or none, in a folder. Raises OSError."""
    # The end of a name, so that it is not the name that is too long.
    descriptor, made = tempfile.mkstemp(prefix="runqy-bench-", suffix=f"-{name[-40:]}", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise
    return Path(made)


def refusal(path: Path, error: OSError) -> str:
    """The message for a file that cannot be written."""
    return f"cannot write {path}: {error.strerror or error}"


@dataclass(frozen=True)
class _Place:
    """What stands where a file is to be written."""

    target: Path
    """The file itself, behind all links."""
    found: os.stat_result | None
    """What is there; None where nothing is."""
    is_descriptor: bool = False

    @classmethod
    def of(cls, path: Path) -> "_Place":
        """Looks, and makes missing folders. Raises OSError for what cannot be a file."""
        if descriptors.is_descriptor(path):
            return cls(path, None, is_descriptor=True)
        try:
            found = path.stat()
        except FileNotFoundError:
            target = Path(os.path.realpath(path))
            make_folder(target.parent)
            return cls(target, None)
        for is_kind, kind in (
            (stat.S_ISDIR, "a folder; name a file"),
            (stat.S_ISSOCK, "a socket; name a file"),
            (stat.S_ISBLK, "a block device; name a file"),
        ):
            if is_kind(found.st_mode):
                raise OSError(errno.EINVAL, f"it is {kind}")
        return cls(Path(os.path.realpath(path)), found)

    @property
    def is_stream(self) -> bool:
        """Whether bytes are passed on: to a pipe, a terminal, ``/dev/null``, a descriptor."""
        is_device = self.found is not None and not stat.S_ISREG(self.found.st_mode)
        return self.is_descriptor or is_device


def _require_access(path: Path) -> None:
    if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _require_space(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_LEAST_SPACE))
        file.flush()


def _write(path: Path, data: bytes) -> None:
    place = _Place.of(path)
    if place.is_stream:
        if sys.stdout is not None:
            sys.stdout.flush()  # it may lead there, too
        number = descriptors.opened(path)
        if number is None:  # a pipe without a reader would block for good
            number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        _pass_on(number, data)
    elif place.found is None:
        _replace(place.target, data, None)
    else:
        _require_access(place.target)
        if place.found.st_nlink > 1 or not _replaced(place.target, data, place.found):
            _pass_on(os.open(place.target, os.O_WRONLY | os.O_TRUNC), data)


def _pass_on(descriptor: int, data: bytes) -> None:
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _replaced(target: Path, data: bytes, found: os.stat_result) -> bool:
    """Replaces a file; returns False, and changes nothing, where only its content may change."""
    try:
        _replace(target, data, found)
    except OSError as error:
        # The folder is not ours, or the file is a mount of its own, as in a container.
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV):
            return False
        raise
    return True


def _replace(target: Path, data: bytes, found: os.stat_result | None) -> None:
    # The name is short whatever the target's is, since a longer one may not be possible.
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".bench-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_rights(file.fileno(), found)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _take_rights(descriptor: int, found: os.stat_result | None) -> None:
    """Give a new file the owner and the mode of the one that it replaces, or the usual mode."""
    if found is None:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
