"""OutputCard: the README.md of an output, by which `datasets.load_dataset(FOLDER)`, the Hub's viewer and people find what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.accounting.outcome import OutputFile
from transforms.accounting.product import Chunk, JoinedFile
from transforms.files import storage
from transforms.image.image_folder import IMAGES, METADATA, metadata_file
from transforms.read_hf.card import config_name
from transforms.read_hf.plan import ReadPlan
from transforms.shards.names import shard_folders
from transforms.shards.report import first_records

_KEPT = ('license', 'language', 'pretty_name')
_EMPTY_LIST = len('[]\n')
_LONG_LINE = 4 << 20


@dataclass(frozen=True)
class CardConfig:
    """One config of a card.

    Attributes:
        name: of the config (subset).
        files: by split its paths or globs; a split is empty when no file of the first one has a record.
        metadata: names of metadata files among them, for a folder of images.
        default: whether it is read where none is named.
    """

    name: str
    files: Mapping[str, tuple[str, ...]]
    metadata: tuple[str, ...] = ()
    default: bool = False

    def to_yaml(self, splits: list[dict]) -> dict:
        """The config with those of its splits that have records."""
        return {'config_name': self.name, 'data_files': splits, **({'metadata_filenames': list(self.metadata)} if self.metadata else {}),
                **({'default': True} if self.default else {})}


@dataclass(frozen=True)
class OutputCard:
    """A product of a run: the card, whose content is known before the run but for the splits that turn out empty.

    `datasets` refuses a whole dataset for one split without records, so the card does not name them. Stands behind the products
    whose files it names.

    Attributes:
        text: below the YAML.
        configs: what is in the output.
        head: more of the YAML.
        path: of the file.
    """

    text: str
    configs: tuple[CardConfig, ...]
    head: Mapping[str, object] = field(default_factory=dict)
    path: str = 'README.md'

    def join(self, output: str, chunks: list[Chunk]) -> OutputFile:
        """Writes it; there are no chunks."""
        import yaml

        configs = []
        for config in self.configs:
            splits = [{'split': _split_name(split), 'path': list(paths) if paths[1:] else paths[0]} for split, paths in config.files.items()
                      if _have_records(output, paths[0])]
            if config.metadata and len(splits) == 1 and _has_one_line(storage.join(output, splits[0]['path'][0])):
                # `datasets` takes what most files are, and of one image beside one file of lines the lines: so the image is named twice.
                splits[0]['path'].append(f"{splits[0]['path'][-1]}/*")
            configs += [config.to_yaml(splits)] if splits else []
        if not configs:  # without any, readers would take the accounts for the data; so they are told of files that hold none
            configs = [config.to_yaml([{'split': _split_name(split), 'path': paths[0]} for split, paths in config.files.items()])
                       for config in self.configs]
        head = yaml.safe_dump({**self.head, 'configs': configs}, sort_keys=False, allow_unicode=True)
        with storage.atomic_writer(storage.join(output, self.path)) as target:
            target.write(f'---\n{head}---\n\n{self.text}\n'.encode())
        return OutputFile(self.path, target.size, target.sha256)


def _split_name(name: str) -> str:
    """A name that `datasets` takes: letters, digits, underscores and dots."""
    return re.sub(r'[^\w.]', '_', name)


def _have_records(output: str, pattern: str) -> bool:
    """Whether there is a record in the files that match a pattern."""
    folder, _, glob = pattern.rpartition('/')
    place = storage.join(output, folder) if folder else output
    if not any(c in glob for c in '*?['):
        return storage.is_file(storage.join(place, glob)) and _has_records(storage.join(place, glob))
    return storage.exists(place) and any(_has_records(info.path) for info in storage.list_files(place, glob))


def _has_one_line(path: str) -> bool:
    with storage.open_read(path) as source:
        return source.read(_LONG_LINE).count(b'\n') == 1


def _has_records(path: str) -> bool:
    if path.endswith(('.gz', '.parquet')):
        return next(first_records(path), None) is not None
    return storage.info_of(path).size > _EMPTY_LIST


def image_folder(text: str, splits: tuple[str, ...] = ('train',), images: str = IMAGES) -> tuple[JoinedFile | OutputCard, ...]:
    """The products that make an output a folder of images as `datasets` reads them: the metadata lines of each split, and the card.

    Args:
        text: of the card.
        splits: 'train', 'eval' or both.
        images: folder of the images.
    """
    names = tuple(METADATA[split] for split in splits)
    config = CardConfig('default', {split: (METADATA[split], f'{images}/**') for split in splits}, names)
    return (*map(metadata_file, splits), OutputCard(text, (config,)))


def dataset_card(plan: ReadPlan, extension: str, with_features: bool) -> OutputCard:
    """The card of what is read by `plan`, written to shards.

    Args:
        plan: what is read.
        extension: of the shards.
        with_features: keep the column types that the card of the source gives; for a format that holds them.
    """
    card = plan.dataset.card
    head: dict[str, object] = {name: card[name] for name in _KEPT if card.get(name)}
    files: dict[str, dict[str, tuple[str, ...]]] = {}
    for split, folder in zip(plan.splits, shard_folders(plan), strict=True):
        files.setdefault(split.subset or 'default', {})[split.name] = (f'{folder}-?????-of-?????{extension}',)
    default = next((config_name(config) for config in card.get('configs', ()) if config.get('default')), '')
    head['configs'] = []
    if with_features and (infos := _features(card, list(files))):
        head['dataset_info'] = infos
    origin = f'From {plan.root}.\n\n' if plan.revision else ''
    return OutputCard(f'{origin}Shards of a converted dataset: `datasets.load_dataset` reads this folder. report.html and records/ '
                      'account for every record.', tuple(CardConfig(name, of, default=name == default) for name, of in files.items()), head)


def _features(card: dict, subsets: list[str]) -> list[dict]:
    """What the source's card says of the columns of these subsets."""
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    given = {config_name(info): info['features'] for info in infos
             if isinstance(info, dict) and isinstance(info.get('features'), list)}
    return [{'config_name': name, 'features': given[name]} for name in subsets if name in given]
