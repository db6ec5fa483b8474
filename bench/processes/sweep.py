"""``bench.processes.sweep``: removes what commands that were killed have left."""

from bench.processes import folders


def main() -> None:
    """Remove the temporary folders whose owners are gone."""
    folders.remove_abandoned(folders.root())


if __name__ == "__main__":
    main()
