"""YAML of strangers as plain values, with the line of each; bounded whatever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

MAX_BYTES, MAX_NODES, MAX_DEPTH = 4 << 20, 200_000, 50
Path = tuple[str | int, ...]


class ConfigError(ValueError):
    """The YAML cannot be used; the message names the line."""


@dataclass(frozen=True)
class YamlFile:
    """What a YAML holds.

    Attributes:
        name: of the file, for messages.
        value: dictionaries, lists, texts, numbers, None.
        lines: of each value, by its path of keys and numbers, from 1.
    """

    name: str
    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(name: str, data: bytes) -> YamlFile:
    """The content of a YAML.

    Raises:
        ConfigError: it is no YAML, too large, too deep, or grows beyond bounds by its anchors.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f'{name} has {len(data):,} bytes, at most {MAX_BYTES:,} are read')
    try:
        root = yaml.compose(data.decode('utf-8-sig'), yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(f'{name} is no UTF-8 at byte {error.start}') from None
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        what = getattr(error, 'problem', None) or str(error).splitlines()[0]
        raise ConfigError(f'{name}, line {mark.line + 1}: {what}' if mark else f'{name}: {what}') from None
    except RecursionError:
        raise ConfigError(f'{name} is nested too deeply') from None
    reader = _Reader(name)
    return YamlFile(name, reader.value(root, ()) if root is not None else None, reader.lines)


class _Reader:
    """Nodes to values; what an anchor stands for counts each time."""

    def __init__(self, name: str) -> None:
        self._name, self._nodes = name, 0
        self._scalars = yaml.SafeLoader('')
        self.lines: dict[Path, int] = {}

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise ConfigError(f'{self._name}, line {line}: more than {MAX_NODES:,} values or {MAX_DEPTH} levels; do its anchors multiply?')
        self.lines[path] = line
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f'{self._name}, line {line}: {getattr(error, "problem", error)}') from None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict:
        found: dict = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f'{self._name}, line {key_node.start_mark.line + 1}: a key must be a text')
            key = key_node.value
            if key in found:
                raise ConfigError(f'{self._name}, line {key_node.start_mark.line + 1}: {key} is given twice')
            if key_node.tag == 'tag:yaml.org,2002:merge':
                raise ConfigError(f'{self._name}, line {key_node.start_mark.line + 1}: << (merge) is not supported, write the keys out')
            found[key] = self.value(value_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
        return found
