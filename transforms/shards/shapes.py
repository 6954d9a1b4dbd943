"""shape_check(): what Arrow would bend in silence when it makes a value one of a type."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa


def shape_check(kind: pa.DataType) -> Callable[[object], str] | None:
    """A function that says where a value is not of the shape of a type, '' where it is; None where Arrow itself refuses misfits.

    Without it Arrow drops keys that have no field, takes a text for a list of its letters and an empty list for an object without
    keys, and makes a bool a number.
    """
    if pa.types.is_struct(kind):
        fields = {f.name: shape_check(f.type) for f in kind}

        def of_struct(value: object) -> str:
            if type(value) is not dict:
                return f' is {type(value).__name__}, an object is expected'
            for key, inner in value.items():
                if key not in fields:
                    return f' has the key {key}, which was in none of the records that types were taken from'
                if inner is not None and fields[key] and (problem := fields[key](inner)):
                    return f'.{key}{problem}'
            return ''

        return of_struct
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        check = shape_check(kind.value_type)

        def of_list(value: object) -> str:
            if type(value) is not list:
                return f' is {type(value).__name__}, a list is expected'
            return next(filter(None, (check(one) for one in value if one is not None)), '') if check else ''

        return of_list
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return lambda value: ' is bool, a number is expected' if type(value) is bool else ''
    return None
