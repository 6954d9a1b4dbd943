"""Reading without a pipeline, for tests."""

from __future__ import annotations

from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import BadRow, LostPart, UnitFault


def read_all(source, **asked) -> dict[str, list[dict]]:
    """Values by 'subset/split', in order; nothing may be wrong."""
    found: dict[str, list[dict]] = {}
    for unit, row, values in read_rows(source, **asked):
        assert isinstance(values, dict), (unit, row, values)
        found.setdefault(f'{unit.origin.subset}/{unit.origin.split}', []).append(values)
    return found


def read_rows(source, **asked):
    """(unit, row, values, BadRow, LostPart or UnitFault) in order."""
    out = []
    for chain in plan_read(str(source), **asked).chains:
        for unit in chain.units:
            try:
                for item in read_unit(unit):
                    out.append((unit, None, item) if isinstance(item, LostPart) else (unit, *item))
            except UnitFault as fault:
                out.append((unit, None, fault))
    return out


def faults(rows) -> list[tuple[object, str]]:
    """(row or None, error class) of what could not be read."""
    return [(row, values.error) for _, row, values in rows if isinstance(values, (BadRow, LostPart, UnitFault))]
