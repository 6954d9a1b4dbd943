"""WriteOnce: files that appear under their names once, and a journal that knows of each."""

from __future__ import annotations

import os
import uuid

from transforms.files import storage
from transforms.files.durable import flush
from transforms.run.journal import Journal
from transforms.run.run import Run


class WriteOnce:
    """Journals an outcome, then gives its file its name: what can be seen under its name is never made again.

    Args:
        run: the run, for its folders. Bytes wait for their names in its staging folder; where it has none they are written
            under their names at once, before the journal's line.
    """

    def __init__(self, run: Run) -> None:
        self._output, self._staging_dir, self._flushes = run.output, run.staging_dir, run.workers_elsewhere
        self._journal = Journal(run.journal)
        self._folders: set[str] = set()

    def write(self, unit: str, file: str, row: int, outcome: dict, path: str, data: bytes = b'', staged: str = '') -> None:
        """Writes `data`, or names the `staged` file, as `path` below the output; neither for an outcome without a file.

        Raises:
            RunAborted: the disk is full or the folder cannot be written.
        """
        target = storage.join(self._output, path)
        with storage.storage_errors(self._output):
            if data and self._staging_dir:
                staged = storage.join(self._staging_dir, uuid.uuid4().hex)
            if data:
                storage.write_bytes(staged or target, data)
            self._journal.add(unit, file, row, outcome)
            if staged:
                self._make_folder(os.path.dirname(target))
                os.replace(staged, target)

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            self._folders.add(folder)

    def close(self) -> None:
        """Ends the journal's lines; what this worker wrote is on its disk then, where finishing cannot see to that."""
        self._journal.close()
        if self._flushes:
            flush(self._output)
