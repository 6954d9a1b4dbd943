"""ArchiveMembers: the members of a tarball as `tar -x` would leave them on a disk, read as a stream."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from transforms.files import storage
from transforms.files.decompress import DecompressionBomb
from transforms.files.tar_stream import ArchiveDamaged, EndMissing, Member, TrailingData, stream_members

_MAX_LINKS = 16


class ArchiveMembers:
    """Of several members of one name the last counts; links lead to what they would lead to on a disk.

    Names are looked at beforehand where that costs no network (they take 0.5 s for a GiB); elsewhere a second member of a
    name is only compared with the first.

    Args:
        path: of the tarball.
        wanted: names that rows ask for.
        max_bytes: size of one member.
        scan_first: whether to look at the names beforehand.

    Attributes:
        duplicates: how many members were passed over for a later one of their name.
        second_versions: wanted names that came again with other bytes, after the first was handed out.
        without_end: the archive has no end marker.
        with_trailing_data: something lies behind its end.
    """

    def __init__(self, path: str, wanted: frozenset[str], max_bytes: int, scan_first: bool) -> None:
        self._path, self._wanted, self._max_bytes, self._scan_first = path, wanted, max_bytes, scan_first
        # Symbolic links to their targets; hard ones to the number of the member that they share bytes with; the numbers of
        # the regular members of each name.
        self._links: dict[str, str] = {}
        self._hard_links: dict[str, int] = {}
        self._numbers: dict[str, list[int]] = {}
        self.duplicates = 0
        self.second_versions: list[str] = []
        self.without_end = self.with_trailing_data = False

    def read(self, is_needed: Callable[[str], bool]) -> Iterator[Member]:
        """All members once, without those that a later one replaces; with data where `is_needed(name)`.

        Raises:
            ArchiveDamaged, DecompressionBomb, OSError: it cannot be read to its end; what came before was handed out.
        """
        last = self._last_of_each() if self._scan_first else {}
        checksums: dict[str, int] = {}
        try:
            for number, member in enumerate(self._stream(is_needed if self._scan_first else self._wanted.__contains__)):
                self._remember(number, member)
                if last.get(member.name, number) != number:
                    self.duplicates += 1
                    continue
                if not self._scan_first and member.data:
                    checksum = zlib.crc32(member.data)
                    if checksums.setdefault(member.name, checksum) != checksum:
                        self.second_versions.append(member.name)
                yield member
        except EndMissing:
            self.without_end = True
        except TrailingData:
            self.with_trailing_data = True

    def linked(self, names: Iterable[str]) -> Iterator[tuple[str, Member]]:
        """(name, member that it leads to) of those names that are links, or lie in a folder that is one.

        The archive is read a second time for them; only what they lead to is unpacked. A hard link is what its target was
        by then, a symbolic one what its target is in the end.
        """
        names_by_size: dict[int, list[str]] = {}
        for name in sorted(names):
            end = self._resolved(name)
            if end in self._hard_links:
                names_by_size.setdefault(self._hard_links[end], []).append(name)
            elif end != name and end in self._numbers:
                names_by_size.setdefault(self._numbers[end][-1], []).append(name)
        if not names_by_size:
            return
        targets = frozenset(name for name, numbers in self._numbers.items() if not names_by_size.keys().isdisjoint(numbers))
        try:
            for number, member in enumerate(self._stream(targets.__contains__)):
                for name in names_by_size.get(number, ()):
                    yield name, member
        except (EndMissing, TrailingData):
            return  # as when it was read before

    def target_of(self, name: str) -> str:
        """What a symbolic link says that it leads to, '' for other members."""
        return self._links.get(name, '')

    def _stream(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        with storage.open_read(self._path) as source:
            yield from stream_members(source, wanted, self._max_bytes)

    def _last_of_each(self) -> dict[str, int]:
        last: dict[str, int] = {}
        try:
            for number, member in enumerate(self._stream(lambda name: False)):
                if member.name in self._wanted:
                    last[member.name] = number
        except (ArchiveDamaged, DecompressionBomb):
            return last  # reading reports it
        return last

    def _remember(self, number: int, member: Member) -> None:
        """Keeps what links need; a later member replaces an earlier link of its name."""
        if member.irregular and member.irregular != 'link':
            return
        self._links.pop(member.name, None)
        self._hard_links.pop(member.name, None)
        if not member.irregular:
            self._numbers.setdefault(member.name, []).append(number)
        elif member.is_hard and member.target in self._hard_links:
            self._hard_links[member.name] = self._hard_links[member.target]
        elif member.is_hard and member.target in self._numbers:
            self._hard_links[member.name] = self._numbers[member.target][-1]
        else:
            self._links[member.name] = member.target

    def _resolved(self, name: str) -> str:
        """Where a path leads by symbolic links, of the member or of a folder on the way."""
        for _ in range(_MAX_LINKS):
            if name in self._hard_links:
                return name
            parts = name.split('/')
            start = next((n for n in range(1, len(parts) + 1) if '/'.join(parts[:n]) in self._links), 0)
            if not start:
                return name
            name = '/'.join([self._links['/'.join(parts[:start])], *parts[start:]])
        return name
