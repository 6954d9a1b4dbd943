"""Numbers for people."""

from __future__ import annotations


def human_bytes(count: float) -> str:
    """A size in bytes with three digits and a unit, such as '1.23 MB' (powers of 1,000)."""
    for unit in ('bytes', 'KB', 'MB', 'GB'):
        if abs(count) < 1000:
            return f'{count:.0f} {unit}' if unit == 'bytes' else f'{count:.3g} {unit}'
        count /= 1000
    return f'{count:.3g} TB'


def counted(count: int, noun: str) -> str:
    """'1 file', '2 files': a count with its noun."""
    plural = noun if count == 1 else f"{noun}{'es' if noun.endswith('s') else 's'}"
    return f'{count:,} {plural}'


def human_time(seconds: float) -> str:
    """A duration in seconds as '12 s', '5 min' or '2.5 h'."""
    if seconds < 90:
        return f'{max(1, seconds):.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'
