"""Which files belong to which subset and split, decided as `datasets` decides it.

Rules after `datasets` 5.2 (src/datasets/data_files.py, load.py): the README's `configs:` first, else the names of
sharded splits, folders and files. A repository's scripts are never run.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from transforms.files import storage
from transforms.files.json_values import JsonError, loads
from transforms.files.storage import FileInfo
from transforms.hub.address import missing
from transforms.read_hf.card import CARD_FILES, DatasetError, config_name, params_of, patterns_of, read_card
from transforms.read_hf.layouts import is_metadata, layout_of

_SHARDED = 'data/*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*'
_SHARDED_NAME = re.compile(r'(?P<split>.+?)-\d{5}-of-\d{5}.*\..*\Z')
_KEYWORDS = {'train': ('train', 'training'), 'validation': ('validation', 'valid', 'dev', 'val'),
             'test': ('test', 'testing', 'eval', 'evaluation')}
_SEPARATORS = '-._ 0-9'
_IN_FOLDER = ('**/{k}/**', '**/{k}[{s}]*/**', '**/*[{s}]{k}/**', '**/*[{s}]{k}[{s}]*/**')
_IN_NAME = ('**/{k}[{s}]*', '**/*[{s}]{k}[{s}]*')
_IGNORED = frozenset({'README.md', 'config.json', 'dataset_info.json', 'dataset_infos.json', 'dummy_data.zip',
                      'dataset_dict.json'})
_SPLIT_NAME = re.compile(r'\w+(\.\w+)*\Z')
DEFAULT = 'default'
_ALL = 'all'  # asks for all splits, of `datasets` too
_MAX_STATE = 1 << 20
_SAVED = 'dataset_dict.json'


@dataclass(frozen=True)
class Split:
    """The files of one split of one subset, in order; paths are relative to the root.

    `params` are the config's parameters, `unmatched` its patterns that match no data file.
    """

    subset: str
    name: str
    files: tuple[FileInfo, ...]
    params: tuple[tuple[str, object], ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """'subset/split', for people and sources."""
        return f'{self.subset}/{self.name}'


@dataclass(frozen=True)
class Dataset:
    """What a root holds.

    Attributes:
        root: where.
        splits: of all subsets.
        card: the YAML at the head of its README.md.
        left_out: how many data files belong to no split, by format, and how many PDFs.
        card_files: the README.md and the .huggingface.yaml, where they were looked at.
    """

    root: str
    splits: tuple[Split, ...]
    card: dict = field(default_factory=dict)
    left_out: tuple[tuple[str, int], ...] = ()
    card_files: tuple[FileInfo, ...] = ()

    def choose(self, subset: str = '', split: str = 'all') -> tuple[Split, ...]:
        """The splits that are asked for.

        Args:
            subset: a name, 'all', or '' for the only one (or the default one).
            split: a name, or 'all'.

        Raises:
            DatasetError: there is none such, or a choice is needed.
        """
        names = sorted({s.subset for s in self.splits})
        if not subset:
            default = next((config_name(c) for c in self.card.get('configs', ()) if c.get('default')),
                           DEFAULT)
            if len(names) > 1 and default not in names:
                raise DatasetError(f'{self.root} has several subsets: choose one of {_some(names)} with --subset, or all')
            subset = names[0] if len(names) == 1 else default
        chosen = [s for s in self.splits if subset in ('all', s.subset)]
        if not chosen:
            raise DatasetError(f'{self.root} has no subset {subset}; {_hint(subset, names)}')
        splits = tuple(s for s in chosen if split in ('all', s.name))
        if empty := [s.label for s in splits if not s.files]:
            why = ': its README.md names files that are not there' if self.card.get('configs') else ''
            raise DatasetError(f'{self.root} has no data file for {empty[0]}{why}')
        if lacking := [(s.label, s.unmatched[0]) for s in splits if s.unmatched]:
            raise DatasetError(f'the README.md of {self.root} names {lacking[0][1]} for {lacking[0][0]}, and no data file of '
                               'a known format has that path: download all of it, or choose files by a pattern')
        if not splits:
            raise DatasetError(f'{self.root} has no split {split}; {_hint(split, [s.name for s in chosen])}')
        return splits


def _some(names: list[str]) -> str:
    return ', '.join(names[:12]) + (f' and {len(names) - 12} more' if len(names) > 12 else '')


def _hint(wanted: str, names: list[str]) -> str:
    close = difflib.get_close_matches(wanted, names, 1, 0.5)
    return f'did you mean {close[0]}?' if close else f'it has {_some(names)}'


def find_dataset(root: str, pattern: str = '') -> Dataset:
    """The subsets and splits of a pinned root (a folder, or hf://datasets/...@COMMIT[/PATH]).

    Args:
        root: where to look; a single file is a dataset of one split.
        pattern: a glob relative to the root; then its files are one split 'train', whatever the README says.

    Raises:
        DatasetError: nothing is there, or nothing that can be read.
    """
    root = root.rstrip('/') or '/'
    if layout_of(root) and storage.is_file(root):
        folder, slash, name = root.rpartition('/')
        file = replace(storage.info_of(root), path=name)
        return Dataset(folder or slash or '.', (Split(DEFAULT, 'train', (file,)),))
    if not storage.exists(root):
        raise DatasetError(missing(root))
    infos = {i.path: i for i in (_relative(i, root) for i in storage.list_files(root))}
    infos = _without_caches(root, infos)
    if pattern:
        matcher = storage.glob_to_regex(pattern)
        chosen = tuple(i for p, i in infos.items() if matcher.match(p) and layout_of(p))
        if not chosen:
            raise DatasetError(f'{root} has no data file that matches {pattern}')
        return Dataset(root, (Split(DEFAULT, 'train', chosen),))
    card = read_card(root, infos)
    splits = tuple(_from_card(root, card['configs'], infos) if card.get('configs') else _saved_splits(root, infos) or
                   _as_splits(root, DEFAULT, _by_names(infos, root), infos, {}))
    pdfs = sum(path.lower().endswith('.pdf') for path in infos)
    if not any(s.files for s in splits):
        script = any(path.endswith('.py') and '/' not in path for path in infos)
        hint = ' It has a loading script, which is never run: try --hub_parquet, the conversion that the Hub made' \
            if script else ' Its README.md names files that are not there' if card.get('configs') else \
            f' It holds {pdfs:,} PDF files: `python -m beam_pipelines.render_pdf` makes images of their pages' if pdfs else ''
        raise DatasetError(f'{root} has no data file of a known format.{hint}')
    used = {f.path for s in splits for f in s.files}
    left_out = Counter(layout_of(p).format for p in infos if p not in used and layout_of(p))
    if pdfs:
        left_out['pdf'] = pdfs
    return Dataset(root, splits, card, tuple(sorted(left_out.items())),
                   tuple(infos[name] for name in CARD_FILES if name in infos))


def mixed_formats(dataset: Dataset) -> str:
    """One line where a folder without a card mixes formats, of which only the main one is read; '' where it does not."""
    if not dataset.left_out or dataset.card.get('configs'):
        return ''
    read = sorted({layout_of(file.path).format for split in dataset.splits for file in split.files if layout_of(file.path)})
    left = ', '.join(f"{count:,} {kind} file{'' if count == 1 else 's'}" for kind, count in dataset.left_out)
    return f"mixed formats: {', '.join(read)} is read, {left} in no split: choose files by a pattern, or name them in a README.md"


def _without_caches(root: str, infos: dict[str, FileInfo]) -> dict[str, FileInfo]:
    """Leaves out what `datasets` keeps beside the Arrow files of a `save_to_disk` folder, which its state.json names.

    Raises:
        DatasetError: one of those files is not there.
    """
    kept = dict(infos)
    for state in [p for p in infos if p.rpartition('/')[2] == 'state.json' and infos[p].size <= _MAX_STATE]:
        folder = state[:-len('state.json')]
        arrows = [path for path in infos if path.endswith('.arrow') and path.rpartition('/')[0] + '/' == (folder or '/')]
        try:
            content = loads(storage.read_bytes(storage.join(root, state)))
            names = {folder + file['filename'] for file in content['_data_files']}
        except (JsonError, OSError) as error:
            if arrows:
                raise DatasetError(f'{storage.join(root, state)} cannot be read, so which Arrow files are data is not known: '
                                   f'{error}') from None
            continue
        except (KeyError, TypeError):
            continue  # of some other program
        if not names:
            raise DatasetError(f'{storage.join(root, state)} names no data file: save the dataset again')
        if content.get('_indices_data_files'):
            raise DatasetError(f'{storage.join(root, state)} says that rows are chosen by an indices file, as old versions of datasets saved '
                               'them: load and save it again with a newer one')
        if lacking := sorted(names - infos.keys()):
            raise DatasetError(f'{storage.join(root, state)} names {lacking[0]}, which is not there')
        for path in arrows:
            if path not in names:
                del kept[path]
    return kept


def _saved_splits(root: str, infos: dict[str, FileInfo]) -> list[Split]:
    """The splits of a DatasetDict that `save_to_disk` wrote, a folder each; [] where the root is none."""
    if _SAVED not in infos or infos[_SAVED].size > _MAX_STATE:
        return []
    place = storage.join(root, _SAVED)
    try:
        names = loads(storage.read_bytes(place))['splits']
    except (JsonError, OSError) as error:
        raise DatasetError(f'{place} cannot be read, so which splits there are is not known: {error}') from None
    except (KeyError, TypeError):
        return []
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        return []
    if lacking := [name for name in names if f'{name}/state.json' not in infos]:
        raise DatasetError(f'{place} names the split {lacking[0]}, whose state.json is not there: download all of it')
    return [Split(DEFAULT, name, tuple(file for path, file in infos.items() if path.endswith('.arrow') and path.rpartition('/')[0] == name))
            for name in names]


def _relative(info: FileInfo, root: str) -> FileInfo:
    return replace(info, path=info.path[len(root.rstrip('/')) + 1:])


def _from_card(root: str, configs: list[dict], infos: dict[str, FileInfo]) -> Iterable[Split]:
    for config in configs:
        name, folder = config_name(config), str(config.get('data_dir') or '').strip('/')
        patterns = patterns_of(root, name, config['data_files']) if config.get('data_files') is not None else \
            _by_names(_below(infos, folder), root)
        prefixed = {split: [f'{folder}/{p}' if folder and not p.startswith('/') else p for p in of]
                    for split, of in patterns.items()}
        yield from _as_splits(root, name, prefixed, infos, config)


def _below(infos: dict[str, FileInfo], folder: str) -> dict[str, FileInfo]:
    if not folder:
        return infos
    return {p[len(folder) + 1:]: i for p, i in infos.items() if p.startswith(folder + '/')}


def _matched(pattern: str, paths: Iterable[str]) -> list[str]:
    """Paths that a pattern of `datasets` means: fsspec's globs, no hidden or special files unless named."""
    from fsspec.utils import glob_translate

    pattern = re.sub('/{2,}', '/', pattern)
    try:
        matcher = re.compile(glob_translate('/' + pattern.removeprefix('./').lstrip('/')))
    except (ValueError, re.error) as error:
        raise DatasetError(f'the pattern {pattern!r} of the data files is no glob ({error})') from None
    base = pattern.rpartition('/')[2]
    return [p for p in paths if matcher.match('/' + p)
            and (p.rpartition('/')[2] not in _IGNORED or p.rpartition('/')[2] == base)
            and _parts(p, '.') == _parts(pattern, '.') and _parents(p) == _parents(pattern)]


def _parts(path: str, mark: str) -> int:
    return sum(part.startswith(mark) and set(part) != {'.'} for part in PurePosixPath(path).parts)


def _parents(path: str) -> int:
    return sum(part.startswith('__') for part in PurePosixPath(path).parent.parts)


def _by_names(infos: dict[str, FileInfo], root: str) -> dict[str, list[str]]:
    """Patterns by split from the names of files and folders."""
    paths = [p for p in infos if layout_of(p)]
    if sharded := _matched(_SHARDED, paths):
        named = {_SHARDED_NAME.match(p.rpartition('/')[2])['split'] for p in sharded}
        if wrong := [name for name in sorted(named) if name == _ALL or not _SPLIT_NAME.match(name)]:
            raise DatasetError(f'{root}: {wrong[0]!r} is no name of a split')
        ordered = [s for s in _KEYWORDS if s in named] + sorted(named - set(_KEYWORDS))
        return {s: [_SHARDED.replace('*-', f'{s}-', 1)] for s in ordered}
    for templates in (_IN_FOLDER, _IN_NAME):
        by_split = {}
        for split, keywords in _KEYWORDS.items():
            patterns = [t.format(k=k, s=_SEPARATORS) for k in keywords for t in templates]
            if any(_matched(p, paths) for p in patterns):
                by_split[split] = patterns
        if by_split:
            return by_split
    return {'train': ['**']}


def _as_splits(root: str, subset: str, patterns: dict[str, list[str]], infos: dict[str, FileInfo],
               config: dict) -> Iterable[Split]:
    names = config.get('metadata_filenames')
    names = tuple(map(str, names)) if isinstance(names, list) else (names,) if isinstance(names, str) else ()
    paths = [p for p in infos if layout_of(p) or is_metadata(p, names)]
    chosen = {split: list(dict.fromkeys(p for pattern in of for p in _matched(pattern, paths)))
              for split, of in patterns.items()}
    for split, of in chosen.items():
        if split == _ALL:
            raise DatasetError(f"{root} calls a split of {subset} 'all', which means all splits: give it another name in the README.md")
        keep = main_layout(of, names)
        _check_named(root, subset, patterns[split], of, keep)
        files = tuple(infos[p] for p in of if keep(p))
        kinds = [layout_of(f.path).format for f in files if not is_metadata(f.path, names)]
        kind = next((kind for kind in kinds if kind != 'zip'), kinds[0] if kinds else '')
        params = params_of(root, subset, config, kind)
        unmatched = tuple(p for p in patterns[split] if not _matched(p, paths)) if config.get('data_files') is not None else ()
        yield Split(subset, split, files, tuple(sorted(params.items())), unmatched)


def _check_named(root: str, subset: str, patterns: list[str], paths: list[str], keep: Callable[[str], bool]) -> None:
    """Refuses to leave out a file that the card names by its path because others have another format."""
    named = {p.removeprefix('./').lstrip('/') for p in patterns if not any(c in p for c in '*?[')}
    if lost := [p for p in paths if p in named and not keep(p)]:
        kept = next((p for p in paths if keep(p)), '')
        raise DatasetError(f'the README.md of {root} names {lost[0]} and {kept} for one split of {subset}, which have '
                           'different formats: give them splits of their own, or choose files by a pattern')


def main_layout(paths: list[str], metadata: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Keeps the files of the format that most files have; a tie goes to Parquet, Arrow, JSON, CSV in this order.

    The metadata of images, sounds and zips (by the usual names, or those in `metadata`) goes with them.
    """
    counts = Counter(layout_of(p).format for p in paths if not is_metadata(p, metadata))
    if not counts:
        counts = Counter(layout_of(p).format for p in paths)
    order = ('parquet', 'arrow', 'json', 'csv')
    best = max(counts, key=lambda f: (counts[f], -order.index(f) if f in order else -len(order), f), default='')

    def keep(path: str) -> bool:
        if best in ('image', 'audio', 'zip') and is_metadata(path, metadata):
            return True
        return layout_of(path).format in ((best, 'zip') if best in ('csv', 'json', 'text') else (best,))

    return keep
