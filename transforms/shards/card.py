"""DatasetCard: the README.md of an output of shards, by which `datasets.load_dataset(FOLDER)` finds its subsets and splits."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.accounting.outcome import OutputFile
from transforms.accounting.product import Chunk
from transforms.files import storage
from transforms.read_hf.plan import ReadPlan
from transforms.shards.names import FOLDER, shard_folders
from transforms.shards.report import first_records

_KEPT = ('license', 'language', 'pretty_name')


@dataclass(frozen=True)
class DatasetCard:
    """A product of a run: the card, whose content is known before the run but for the splits that turn out empty.

    `datasets` refuses a whole dataset for one split without records, so the card does not name them.

    Attributes:
        head: the YAML at its head.
        text: below it.
        path: of the file.
    """

    head: dict
    text: str
    path: str = 'README.md'

    def join(self, output: str, chunks: list[Chunk]) -> OutputFile:
        """Writes it; there are no chunks."""
        import yaml

        folder, configs = storage.join(output, FOLDER), []
        shards = [info.path for info in storage.list_files(folder)] if storage.exists(folder) else []
        for config in self.head['configs']:
            files = [entry for entry in config['data_files'] if _have_records(output, entry['path'], shards)]
            configs += [{**config, 'data_files': files}] if files else []
        head = yaml.safe_dump({**self.head, 'configs': configs}, sort_keys=False, allow_unicode=True)
        with storage.atomic_writer(storage.join(output, self.path)) as target:
            target.write(f'---\n{head}---\n\n{self.text}'.encode())
        return OutputFile(self.path, target.size, target.sha256)


def _have_records(output: str, pattern: str, shards: list[str]) -> bool:
    """Whether there is a record in the shards that match a pattern."""
    matcher = storage.glob_to_regex(pattern)
    own = (path for path in shards if matcher.match(path[len(output):].lstrip('/')))
    return any(next(first_records(path), None) is not None for path in own)


def dataset_card(plan: ReadPlan, extension: str, with_features: bool) -> DatasetCard:
    """The card of what is read by `plan`, written to shards.

    Args:
        plan: what is read.
        extension: of the shards.
        with_features: keep the column types that the card of the source gives; for a format that holds them.
    """
    card = plan.dataset.card
    head: dict[str, object] = {name: card[name] for name in _KEPT if card.get(name)}
    configs: dict[str, list[dict]] = {}
    for split, folder in zip(plan.splits, shard_folders(plan), strict=True):
        configs.setdefault(split.subset or 'default', []).append({'split': split.name, 'path': f'{folder}-?????-of-?????{extension}'})
    default = next((str(config.get('config_name')) for config in card.get('configs', ()) if config.get('default')), '')
    head['configs'] = [{'config_name': name, 'data_files': files, **({'default': True} if name == default else {})}
                       for name, files in configs.items()]
    if with_features and (infos := _features(card, list(configs))):
        head['dataset_info'] = infos
    origin = f'From {plan.root}.\n\n' if plan.revision else ''
    return DatasetCard(head, f'{origin}Shards of a converted dataset: `datasets.load_dataset` reads this folder. report.html and records/ '
                       'account for every record.\n')


def _features(card: dict, subsets: list[str]) -> list[dict]:
    """What the source's card says of the columns of these subsets."""
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    given = {str(info.get('config_name') or 'default'): info['features'] for info in infos
             if isinstance(info, dict) and isinstance(info.get('features'), list)}
    return [{'config_name': name, 'features': given[name]} for name in subsets if name in given]
