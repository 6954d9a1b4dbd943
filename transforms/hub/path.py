"""HubPath: what an hf:// path names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

SCHEME = 'hf://'
_PREFIX = 'hf://datasets/'
_NAME = r'[A-Za-z0-9][A-Za-z0-9._-]{0,95}'
# Revisions with a slash are recognized by what the Hub itself makes: refs/convert/parquet, refs/pr/12.
_PATH = re.compile(rf'(?P<repo>{_NAME}(?:/{_NAME})?)'
                   r'(?:@(?P<revision>refs/(?:convert/\w+|pr/\d+)|[^/]+))?(?:/(?P<path>.*))?\Z', re.DOTALL)
_COMMIT = re.compile(r'[0-9a-f]{40}\Z')


@dataclass(frozen=True)
class HubPath:
    """A dataset repository on the Hub, or a path in one.

    Attributes:
        repo: 'namespace/name' (some old ones have a name only).
        revision: branch, tag or commit; '' for the default branch.
        path: relative to the repository, '' for its root.
    """

    repo: str
    revision: str = ''
    path: str = ''

    @classmethod
    def parse(cls, url: str) -> HubPath:
        """The path that `hf://datasets/NAMESPACE/NAME[@REVISION][/PATH]` names.

        Raises:
            ValueError: it names none, with an example.
        """
        match = _PATH.match(url[len(_PREFIX):].rstrip('/')) if url.startswith(_PREFIX) else None
        if not match:
            raise ValueError(f'{url} names no dataset: it must look like hf://datasets/allenai/olmOCR-mix-1025, '
                             'perhaps with @REVISION and /PATH behind it')
        return cls(match['repo'], unquote(match['revision'] or ''), match['path'] or '')

    @property
    def is_pinned(self) -> bool:
        """True when the revision is a commit, so that the files cannot change."""
        return bool(_COMMIT.match(self.revision))

    def at(self, revision: str) -> HubPath:
        """The same path at another revision."""
        return replace(self, revision=revision)

    def within(self, path: str) -> HubPath:
        """A path relative to the repository, at the same revision."""
        return replace(self, path=path)

    def __str__(self) -> str:
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ''
        return f'{_PREFIX}{self.repo}{revision}' + (f'/{self.path}' if self.path else '')


def is_hub(path: str) -> bool:
    """True for hf:// paths."""
    return path.startswith(SCHEME)
