"""Settings of the olmocr pipeline: flags and input, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.accounts.run_info import RunInfo
from transforms.llava.conversation import DEFAULT_PROMPTS
from transforms.olmocr.discover import OlmocrInput
from transforms.olmocr.filters import RowRules
from transforms.pdf.settings import RenderSettings


@dataclass(frozen=True)
class OlmocrSettings:
    """What `beam_pipelines.olmocr.build` needs.

    Attributes:
        found: the input's files and tarballs.
        product: 'llava', 'annotations' (extracting) or 'original'.
        rules: which rows are kept.
        render: what the images look like.
        prompts: human turns to choose from.
        limit: rows read of each file, 0 for all.
        seed: of every random choice.
        splits: splits that get a chat file.
        render_processes: drawing processes of each Beam worker, 0 for one on each of its cores.
        drawing_hints: Beam's resource hints for the steps that carry documents.
        output: output folder.
        work: work folder.
        run: what run this is; the launcher fills it in.
    """

    found: OlmocrInput
    product: str
    rules: RowRules
    render: RenderSettings
    output: str
    work: str
    prompts: tuple[str, ...] = DEFAULT_PROMPTS
    limit: int = 0
    seed: int = 0
    splits: tuple[str, ...] = ('train', 'eval')
    render_processes: int = 1
    drawing_hints: dict[str, str] = field(default_factory=dict)
    run: RunInfo | None = None
