"""DatasetCard: the README.md of an output of shards, by which `datasets.load_dataset(FOLDER)` finds its subsets and splits."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.accounting.outcome import OutputFile
from transforms.accounting.product import Chunk
from transforms.files import storage
from transforms.read_hf.plan import ReadPlan
from transforms.shards.names import shard_folders

_KEPT = ('license', 'language', 'pretty_name')


@dataclass(frozen=True)
class DatasetCard:
    """A product of a run: the card, whose content is known before the run.

    Attributes:
        content: of the file.
        path: of the file.
    """

    content: str
    path: str = 'README.md'

    def join(self, output: str, chunks: list[Chunk]) -> OutputFile:
        """Writes it; there are no chunks."""
        with storage.atomic_writer(storage.join(output, self.path)) as target:
            target.write(self.content.encode())
        return OutputFile(self.path, target.size, target.sha256)


def dataset_card(plan: ReadPlan, extension: str, with_features: bool) -> DatasetCard:
    """The card of what is read by `plan`, written to shards.

    Args:
        plan: what is read.
        extension: of the shards.
        with_features: keep the column types that the card of the source gives; for a format that holds them.
    """
    import yaml

    card = plan.dataset.card
    content: dict[str, object] = {name: card[name] for name in _KEPT if card.get(name)}
    configs: dict[str, list[dict]] = {}
    for split, folder in zip(plan.splits, shard_folders(plan), strict=True):
        configs.setdefault(split.subset or 'default', []).append({'split': split.name, 'path': f'{folder}-?????-of-?????{extension}'})
    default = next((str(config.get('config_name')) for config in card.get('configs', ()) if config.get('default')), '')
    content['configs'] = [{'config_name': name, 'data_files': files, **({'default': True} if name == default else {})}
                          for name, files in configs.items()]
    if with_features and (infos := _features(card, list(configs))):
        content['dataset_info'] = infos
    head = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    origin = f'From {plan.root}.\n\n' if plan.revision else ''
    return DatasetCard(f'---\n{head}---\n\n{origin}Shards of a converted dataset: `datasets.load_dataset` reads this folder. report.html '
                       'and records/ account for every record.\n')


def _features(card: dict, subsets: list[str]) -> list[dict]:
    """What the source's card says of the columns of these subsets."""
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    given = {str(info.get('config_name') or 'default'): info['features'] for info in infos
             if isinstance(info, dict) and isinstance(info.get('features'), list)}
    return [{'config_name': name, 'features': given[name]} for name in subsets if name in given]
