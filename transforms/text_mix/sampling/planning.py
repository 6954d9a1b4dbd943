"""plan_sample(): from the entries of a mixture to quotas, designs, and which files are read how far."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from transforms.files import storage
from transforms.hub.errors import HubDown
from transforms.keys.select import kth_smallest
from transforms.run.source import Part, Source
from transforms.text.config.model import Entry
from transforms.text_mix.sampling.design import (
    CLUSTER,
    EXACT,
    HEAD,
    LAST,
    SampledFile,
    SampleSource,
    SampleTask,
    circle_of,
    seeded,
)
from transforms.text_mix.sampling.frames import Frame, FrameFinder, Unavailable
from transforms.text_mix.sampling.quotas import fill_up, largest_remainder

_TASK_BYTES, _TASK_FILES, _LEAST_TASK = 256 << 20, 64, 16 << 20
_TASKS = 16
_SLICE_ROWS = 50_000
_CANDIDATES = 2  # times the quota, where the number of rows is an estimate
Look = Callable[[Iterable], Iterable]


@dataclass(frozen=True)
class SampleFlags:
    """What a user asks for.

    Attributes:
        total: rows, or tokens.
        seed: of the sample.
        design: 'auto', or one for all entries.
        max_download: bytes of one entry from which on 'auto' takes `cluster`.
        fill: whether entries that have more give what others lack.
        skip_unavailable: whether to go on without entries that cannot be read.
        tokenizer: as of `SampleSource`.
    """

    total: int
    seed: int = 0
    design: str = 'auto'
    max_download: int = 20 * 10**9
    fill: bool = False
    skip_unavailable: bool = False
    tokenizer: str | None = None


@dataclass(frozen=True, eq=False)
class SourcePlan:
    """How one entry is sampled.

    Attributes:
        entry: of the YAML.
        folder: its own in the output.
        quota: rows or tokens; what a worker strives for is in `source`.
        frame: its rows; None where it is unavailable.
        source: how rows are ranked; None where it is unavailable.
        tasks: all that may be read.
        used: how many of them are read at first.
        high: the largest rank that is read at first.
        why: it is unavailable.
        expected_bytes: to be read.
        wanted_rows: of the quota, an estimate where that is in tokens.
    """

    entry: Entry
    folder: str
    quota: int
    frame: Frame | None = None
    source: SampleSource | None = None
    tasks: tuple[SampleTask, ...] = ()
    used: int = 0
    high: int = LAST
    why: str = ''
    expected_bytes: int = 0
    wanted_rows: int = 0

    @property
    def parts(self) -> int:
        """Of the accounts: slices of the sample that are written side by side."""
        return max(1, -(-min(self.wanted_rows, self.frame.rows if self.frame else 0) // _SLICE_ROWS))

    @property
    def first_tasks(self) -> tuple[SampleTask, ...]:
        """What is read first."""
        return tuple(replace(task, high=self.high) for task in self.tasks[:self.used])


@dataclass(frozen=True, eq=False)
class SamplePlan:
    """How a mixture is sampled: its entries in the order of the YAML, without those of weight 0 and those that are not enabled."""

    entries: tuple[SourcePlan, ...]
    in_tokens: bool = False

    @property
    def skipped(self) -> tuple[SourcePlan, ...]:
        """Entries that cannot be read."""
        return tuple(plan for plan in self.entries if not plan.source)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of the run."""
        return tuple(Source(number, plan.frame.address, plan.frame.revision, plan.frame.subset, plan.frame.split, plan.frame.root, plan.folder) if plan.frame
                     else Source(number, plan.entry.name, '', plan.entry.config or plan.entry.subset or '', plan.entry.split, name=plan.folder)
                     for number, plan in enumerate(self.entries))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Of the run's accounts."""
        owners = [number for number, plan in enumerate(self.entries) for _ in range(plan.parts)]
        return tuple(Part(number, owner) for number, owner in enumerate(owners))

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """The files that may be read, as (path, bytes, fingerprint)."""
        return tuple((f'{plan.folder}: {file.info.path}', file.info.size, file.info.fingerprint)
                     for plan in self.entries if plan.frame for file in plan.frame.files)


@dataclass(frozen=True)
class SavedPlans:
    """The plans of a run's sources in a file of its work folder: so that a pipeline's graph is small, however many files a mixture has.

    Attributes:
        path: of the file; its name tells its content.
    """

    path: str = ''

    @classmethod
    def save(cls, folder: str, entries: tuple[SourcePlan, ...]) -> SavedPlans:
        """Saves plans in a folder.

        Raises:
            RunAborted: the disk is full or the folder cannot be written.
        """
        data = pickle.dumps(entries, 5)
        path = storage.join(folder, f'plans-{hashlib.sha256(data).hexdigest()[:32]}')
        storage.write_bytes(path, data)
        return cls(path)

    def load(self) -> tuple[SourcePlan, ...]:
        """The plans, by the number of their source."""
        return _loaded(self.path)


@lru_cache(2)
def _loaded(path: str) -> tuple[SourcePlan, ...]:
    return pickle.loads(storage.read_bytes(path))


def plan_sample(entries: Sequence[Entry], folders: Sequence[str], finder: FrameFinder, flags: SampleFlags,
                look: Look = lambda items: items) -> SamplePlan:
    """The plan of a sample; footers and heads of files are read for it.

    Args:
        entries: of the YAML, all.
        folders: of the entries.
        finder: finds their rows.
        flags: what is asked for.
        look: shows progress over what is looked at.

    Raises:
        ValueError: no entry has a weight; entries are unavailable, each with the reason, and `skip_unavailable` is not set.
        HubFault: the Hub does not answer.
    """
    chosen = [(entry, folder) for entry, folder in zip(entries, folders, strict=True) if entry.enabled and entry.weight > 0]
    if not chosen:
        raise ValueError('the YAML has no entry under datasets: that is enabled and has a weight above 0')
    frames: list[Frame | None] = []
    reasons: list[str] = []
    for entry, _ in look(chosen):
        try:
            frames.append(finder.find(entry))
            reasons.append('')
        except Unavailable as error:
            frames.append(None)
            reasons.append(str(error))
        except HubDown as error:
            why = str(error).partition('. Run the same')[0]
            raise HubDown(f'while looking at {_label(entry)}: {why}. Nothing was started. Is there a network, and is HF_ENDPOINT right?') from None
    if (all(reasons) or not flags.skip_unavailable) and any(reasons):
        lines = [f'  {_label(entry)}: {why}' for (entry, _), why in zip(chosen, reasons, strict=True) if why]
        raise ValueError(f'{len(lines)} of {len(chosen)} entries cannot be read:\n' + '\n'.join(lines)
                         + '\n  mend them, set enabled: false, or go on without them with --skip_unavailable')
    weights = [entry.weight for entry, _ in chosen]
    quotas = largest_remainder(flags.total, weights)
    if flags.fill:
        quotas = fill_up(flags.total, weights, [_there(frame, flags.tokenizer is not None) for frame in frames])
    ordinals: Counter = Counter()
    plans = []
    for number, ((entry, folder), frame, quota, why) in enumerate(zip(chosen, frames, quotas, reasons, strict=True)):
        names = (entry.name, entry.config or '', entry.subset or '', entry.split)
        ordinals[names] += 1
        if frame is None:
            plans.append(SourcePlan(entry, folder, quota, why=why))
            continue
        source = SampleSource(number, frame.root, frame.path, (*names, str(ordinals[names])), flags.seed, EXACT, quota,
                              frame.rows, frame.is_counted, params=frame.params, schema=frame.schema, tokenizer=flags.tokenizer)
        plans.append(_plan_source(SourcePlan(entry, folder, quota, frame, source), flags))
    return SamplePlan(tuple(plans), flags.tokenizer is not None)


def _label(entry: Entry) -> str:
    return ' '.join(filter(None, (entry.name, entry.config or entry.subset, entry.split if entry.split != 'train' else '')))


def _there(frame: Frame | None, in_tokens: bool) -> int | None:
    if frame is None:
        return 0
    return frame.rows if frame.is_known and not in_tokens else None


def _plan_source(plan: SourcePlan, flags: SampleFlags) -> SourcePlan:
    """The plan with a design and tasks."""
    frame, quota = plan.frame, plan.quota
    wanted = quota
    if flags.tokenizer is not None:
        wanted = -(-quota // max(1, round(frame.mean_tokens))) if frame.mean_tokens else 0
    wanted = min(wanted, frame.rows) if frame.is_counted else wanted
    plan = replace(plan, wanted_rows=wanted)
    if not quota or not frame.files:
        return plan
    design = flags.design
    if design == 'auto':
        design = CLUSTER if frame.is_remote and _exact_bytes(frame, wanted) > flags.max_download else EXACT
    if design == CLUSTER:
        return _with_clusters(plan, flags) if frame.is_counted and frame.rows else _with_whole_files(plan, flags)
    return _with_head(plan) if design == HEAD else _with_exact(plan)


def _exact_bytes(frame: Frame, wanted: int) -> int:
    """What an exact sample of so many rows is expected to read: of each row group the texts with the chance that it holds a chosen row."""
    if not frame.is_counted:
        return frame.bytes
    share = min(1.0, wanted / max(1, frame.rows))
    return round(sum(float(((1 - (1 - share) ** file.groups) * file.sizes).sum()) for file in frame.files))


def _files(frame: Frame, share: float = 1.0, circle: np.ndarray | None = None) -> list[SampledFile]:
    """The files as they are ranked.

    Args:
        frame: whose.
        share: of the rows that is wanted.
        circle: where on a circle each row group is.
    """
    files, first, group = [], 0, 0
    for number, file in enumerate(frame.files):
        size = file.info.size
        if len(file.groups):
            size = round(float(((1 - (1 - share) ** file.groups) * file.sizes).sum()))
        places = () if circle is None else tuple(zip(file.groups.tolist(), circle[group:group + len(file.groups)].tolist(), strict=True))
        files.append(SampledFile(number, file.info, first, file.rows, places, file.has_text, size))
        first = first + file.rows if first >= 0 and file.rows >= 0 else -1
        group += len(file.groups)
    return files


def _tasks(source: SampleSource, files: Sequence[SampledFile]) -> tuple[SampleTask, ...]:
    """Files in tasks of about a 16th of all bytes, 16 to 256 MiB, and at most 64 files."""
    most = min(_TASK_BYTES, max(_LEAST_TASK, sum(file.bytes for file in files) // _TASKS))
    tasks: list[list[SampledFile]] = []
    held = 0
    for file in files:
        if not tasks or held + file.bytes > most or len(tasks[-1]) >= _TASK_FILES:
            tasks.append([])
            held = 0
        tasks[-1].append(file)
        held += file.bytes
    return tuple(SampleTask(source, number, tuple(group)) for number, group in enumerate(tasks))


def _with_exact(plan: SourcePlan) -> SourcePlan:
    frame, source = plan.frame, plan.source
    share = min(1.0, plan.wanted_rows / max(1, frame.rows))
    tasks = _tasks(source, _files(frame, share if frame.is_counted else 1.0))
    high = LAST
    if not frame.is_counted and frame.rows:  # the number of rows is an estimate
        high = min(LAST, int((_CANDIDATES * plan.wanted_rows + 256) / frame.rows * 2.0**64))
    return replace(plan, tasks=tasks, used=len(tasks), high=high, expected_bytes=_exact_bytes(frame, plan.wanted_rows))


def _with_head(plan: SourcePlan) -> SourcePlan:
    frame, source = plan.frame, replace(plan.source, design=HEAD)
    files = _files(frame)
    if frame.is_counted:
        files = [file for file in files if file.first < plan.wanted_rows]
        tasks = _tasks(source, _files(frame))
        return replace(plan, source=source, tasks=tasks, used=len(tasks), high=max(0, plan.wanted_rows - 1),
                       expected_bytes=sum(file.bytes for file in files))
    share = min(1.0, plan.wanted_rows / max(1, frame.rows))
    return replace(plan, source=source, tasks=(SampleTask(source, 0, tuple(files)),), used=1, expected_bytes=round(share * frame.bytes))


def _with_clusters(plan: SourcePlan, flags: SampleFlags) -> SourcePlan:
    """Stretches on the circle of row groups, as many as `max_download` allows: more of them are more like an exact sample."""
    frame, source, wanted = plan.frame, plan.source, max(1, plan.wanted_rows)
    groups = np.concatenate([file.groups for file in frame.files])
    sizes = np.concatenate([file.sizes for file in frame.files])
    mean_rows, mean_bytes = frame.rows / max(1, len(groups)), float(sizes.sum()) / max(1, len(groups))
    stretches = int(min(wanted, max(1.0, flags.max_download / max(1.0, mean_bytes) - wanted / mean_rows)))
    source = replace(source, design=CLUSTER, stretches=stretches, start=seeded(flags.seed, 'start', *source.names) % frame.rows)
    files = _files(frame, 0.0, circle_of(groups, flags.seed, source.names))
    touched = min(len(groups), round(wanted / mean_rows + stretches))
    tasks = _tasks(source, files)
    return replace(plan, source=source, tasks=tasks, used=len(tasks), high=wanted - 1, expected_bytes=round(touched * mean_bytes))


def _with_whole_files(plan: SourcePlan, flags: SampleFlags) -> SourcePlan:
    """Whole files in seeded order, as many as `max_download` allows, and not fewer than the quota takes."""
    frame, source = plan.frame, replace(plan.source, design=CLUSTER)
    files = sorted(_files(frame), key=lambda file: seeded(flags.seed, 'files', *source.names, file.info.path))
    tasks = tuple(SampleTask(source, number, (file,)) for number, file in enumerate(files))
    size = used = 0
    enough = 1.2 * plan.wanted_rows / max(1, frame.rows) * frame.bytes
    while used < len(files) and (size < enough or size + files[used].info.size <= flags.max_download):
        size += files[used].info.size
        used += 1
    return replace(plan, source=source, tasks=tasks, used=used, expected_bytes=size)


def with_exact_limit(plan: SourcePlan) -> SourcePlan:
    """The plan with the rank of the last row that an exact sample needs, where footers tell how many rows there are.

    All ranks are computed, a second for 10^8 of them; those that may be among the smallest are held, 8 bytes each.
    """
    frame, source, wanted = plan.frame, plan.source, plan.wanted_rows
    if source is None or source.design != EXACT or not frame.is_counted or not plan.tasks or wanted >= frame.rows:
        return plan
    bound = min(LAST, int((wanted + 8 * wanted**0.5 + 64) / frame.rows * 2.0**64))
    held = [ranks[ranks <= np.uint64(bound)] for task in plan.tasks for file in task.files for _, ranks in source.all_ranks(file)]
    if sum(map(len, held)) < wanted:
        return plan  # not in a lifetime: then all rows are candidates
    high, _, _ = kth_smallest(lambda: held, wanted - 1) if wanted else (0, 0, 0)
    return replace(plan, high=high)
