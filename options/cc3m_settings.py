"""Settings of the llava_cc3m pipeline: flags and input, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.accounts.run_info import RunInfo
from transforms.llava_cc3m.discover import Cc3mInput
from transforms.pdf.settings import RenderSettings


@dataclass(frozen=True)
class Cc3mSettings:
    """What `beam_pipelines.llava_cc3m.build` needs.

    Attributes:
        found: the input.
        checking: limits of one image.
        output: output folder.
        work: work folder.
        fix: what may be changed in a record.
        limit: records to read, 0 for all.
        seed: of the report's sample.
        processes: checking processes of each worker, 0 for one on each of its cores.
        checking_hints: Beam's resource hints for the step that carries images.
        run: what run this is; the launcher fills it in.
    """

    found: Cc3mInput
    checking: RenderSettings
    output: str
    work: str
    fix: str = 'none'
    limit: int = 0
    seed: int = 0
    processes: int = 1
    checking_hints: dict[str, str] = field(default_factory=dict)
    run: RunInfo | None = None
