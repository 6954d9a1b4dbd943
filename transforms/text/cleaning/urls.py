"""urls: addresses that are too long to be text."""

from __future__ import annotations

import re

LONGEST = 100  # characters, as in the published two-stage mixture
_URL = re.compile(r'https?://[^\s，。、；：！？「」『』（）《》【】〈〉“”<>"]+')  # texts without spaces go on behind an address


def shorten_urls(text: str) -> str:
    """The text with [URL] instead of each http(s) address of 100 characters and more."""
    return _URL.sub(_shortened, text) if '://' in text else text


def _shortened(match: re.Match) -> str:
    return '[URL]' if len(match[0]) >= LONGEST else match[0]
