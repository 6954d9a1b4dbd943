"""Urls: documents by where they come from, against lists of domains, addresses and words."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from transforms.text.document import Document


@dataclass(frozen=True)
class UrlList:
    """Measure: the line of a list that a document's `metadata.url` (or `url`) is on; '' for none.

    A line with a `/` is an address and all below it, without its scheme; any other a domain and all below it.
    """

    lines: frozenset[str]

    def __call__(self, document: Document) -> str:
        url = document.metadata.get('url')
        if not isinstance(url, str) or not url:
            return ''
        try:
            parts = urlsplit(url if '//' in url else f'//{url}')
            host = (parts.hostname or '').rstrip('.')
        except ValueError:  # such as an IPv6 address that is not closed
            return ''
        labels = host.split('.')
        for start in range(len(labels)):
            if (domain := '.'.join(labels[start:])) in self.lines:
                return domain
        place = f'{host}{parts.path}'.rstrip('/')
        while '/' in place:
            if place in self.lines or f'{place}/' in self.lines:
                return place
            place = place.rpartition('/')[0]
        return ''


def read_url_list(text: str) -> UrlList:
    """A list from the text of a file: a line each; blank ones and what follows a `#` do not count."""
    lines = (line.partition('#')[0].strip().lower().removeprefix('http://').removeprefix('https://') for line in text.splitlines())
    return UrlList(frozenset(line.removeprefix('www.') if '/' not in line else line for line in lines if line))
