"""ZipMembers: members of a few zips by name, for metadata that lies beside them."""

from __future__ import annotations

from contextlib import ExitStack

from transforms.files import storage
from transforms.files.storage import FileInfo
from transforms.files.zip_index import BadZip, ZipIndex, read_member
from transforms.read_hf.rows import ReadLimits, UnitFault


class ZipMembers:
    """Open zips; empty (false) when there are none.

    Args:
        root: that the archives' paths are relative to.
        archives: zips, the first that has a member gives it.
        limits: of a member.
    """

    def __init__(self, root: str, archives: tuple[FileInfo, ...], limits: ReadLimits) -> None:
        self._root, self._archives, self._limits = root, archives, limits
        self._stack = ExitStack()
        self._opened: list[tuple[object, ZipIndex]] = []

    def __bool__(self) -> bool:
        return bool(self._archives)

    def __enter__(self) -> ZipMembers:
        try:
            for file in self._archives:
                source = self._stack.enter_context(storage.open_info(self._root, file))
                self._opened.append((source, ZipIndex(source, file.size)))
        except (BadZip, OSError) as error:
            self._stack.close()
            raise UnitFault('DamagedArchive', str(error)) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, name: str) -> bytes | None:
        """The bytes of a member, None when no archive has it.

        Raises:
            BadZip: it is damaged or too big.
        """
        for source, index in self._opened:
            if (entry := index.find(name)) is not None:
                if max(entry.size, entry.packed) > self._limits.member_bytes:
                    raise BadZip(f'it has {entry.size} bytes')
                return read_member(source, entry, name)
        return None
