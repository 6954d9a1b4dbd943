"""What is checked before a job goes to Dataflow: in seconds, with one line for each mistake."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
from collections.abc import Callable, Iterable

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    TestOptions,
    WorkerOptions,
)

import beam_pipelines.samples
from beam_pipelines.launcher.dataflow.api import DataflowApi, Refused, Unreachable
from beam_pipelines.launcher.spec import UsageError
from transforms.files import storage
from transforms.files.object_store import NotKnown, check_reachable
from transforms.hub.path import is_hub

_PROJECT = re.compile(r'([a-z][-a-z0-9.]*[a-z0-9]:)?[a-z][-a-z0-9]{4,28}[a-z0-9]')
_REGION = re.compile(r'[a-z]+-[a-z]+\d{1,2}')
_JOB_NAME = re.compile(r'[a-z]([-a-z0-9]{0,61}[a-z0-9])?')
_STORE = 'a folder in Cloud Storage, such as gs://BUCKET/FOLDER'
_CODE = ('--sdk_container_image=IMAGE (one with this package: the Dockerfile makes it, see docs/dataflow.md) or --setup_file=./setup.py')


def check_command(options: PipelineOptions, flags: argparse.Namespace) -> None:
    """Checks the command line, without asking anybody.

    Args:
        options: Beam's.
        flags: our own.

    Raises:
        UsageError: the first mistake, with what to write instead.
    """
    if _missing('google.cloud.dataflow'):
        raise UsageError("--runner=DataflowRunner needs the extra gcp: pip install 'beam-training-data[gcp]'")
    cloud, worker, setup = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions), options.view_as(SetupOptions)
    missing = [name for name, value in (('--project=PROJECT', cloud.project), ('--region=REGION', cloud.region),
                                        ('--temp_location=gs://BUCKET/tmp', cloud.temp_location),
                                        ('--output=gs://BUCKET/FOLDER', flags.output)) if not value]
    if not (worker.sdk_container_image or setup.setup_file or setup.extra_packages or setup.prebuild_sdk_container_engine):
        missing.append(_CODE)
    if missing:
        raise UsageError(f"--runner=DataflowRunner needs {', '.join(missing)}")
    if not _PROJECT.fullmatch(cloud.project):
        raise UsageError(f'--project={cloud.project} is no id of a project: 6 to 30 lower-case letters, digits and dashes; '
                         'not its name and not its number')
    if not _REGION.fullmatch(cloud.region):
        raise UsageError(f'--region={cloud.region} is no region such as europe-west4'
                         + (': a zone goes into --worker_zone' if re.fullmatch(r'[a-z]+-[a-z]+\d+-[a-z]', cloud.region) else ''))
    if cloud.job_name and not _JOB_NAME.fullmatch(cloud.job_name):
        raise UsageError(f'--job_name={cloud.job_name} must be lower-case letters, digits and dashes, and begin with a letter')
    for name, place in (('temp_location', cloud.temp_location), ('staging_location', cloud.staging_location)):
        if place and not re.match('gs://[^/]+/.', place):  # with a bucket alone Beam makes another one of its own
            raise UsageError(f'--{name}={place}: Dataflow stages its files in Cloud Storage, give {_STORE}')
    _check_hints(options.view_as(StandardOptions).resource_hints)
    _check_setup(setup)
    _check_places(flags)
    _check_by_beam(options)


def _missing(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        return True


def _check_hints(hints: object) -> None:
    """Refuses the hint that Beam 2.77 adds up along nested steps (resources.py, `_use_sum`): each step gets another number of its own."""
    if any('activebundle' in str(hint).replace('_', '').lower() for hint in hints or ()):
        raise UsageError('--resource_hints=max_active_bundles_per_worker cuts every stage in this Beam version, so that images cross a '
                         'shuffle: --number_of_worker_harness_threads=N says how many bundles a worker process takes at a time')


def _check_by_beam(options: PipelineOptions) -> None:
    """Checks what Beam would refuse once the pipeline is built."""
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    tried = PipelineOptions.from_dictionary(options.get_all_options(drop_default=True))
    tried.view_as(TestOptions).dry_run = True  # else it asks the bucket for its policy, which may take minutes
    if errors := PipelineOptionsValidator(tried, DataflowRunner()).validate():
        raise UsageError(f"{errors[0].rstrip('.')} (Beam's own check of the flags)")


def _check_setup(setup: SetupOptions) -> None:
    path = setup.setup_file
    if path and not os.path.isfile(path):
        raise UsageError(f'--setup_file={path} does not exist: it is the setup.py of this project (or your own that requires it)')
    if path and os.path.basename(path) not in ('setup.py', 'pyproject.toml'):
        raise UsageError(f'--setup_file={path} must be named setup.py or pyproject.toml')
    for path in setup.extra_packages or ():
        if storage.is_local(path) and not os.path.isfile(path):
            raise UsageError(f'--extra_package={path} does not exist: it is a wheel or an sdist, as `pip wheel . --no-deps` makes')
    path = setup.requirements_file
    if path and not os.path.isfile(path):
        raise UsageError(f'--requirements_file={path} does not exist')


def _check_places(flags: argparse.Namespace) -> None:
    given = getattr(flags, 'input', '')
    check_workers_see('--input', [given] if isinstance(given, str) else given)
    if is_hub(flags.output):
        raise UsageError(f'--output={flags.output} is made in a folder of this machine before it is published, and no Dataflow worker '
                         f'sees that: give {_STORE}, and publish the finished folder afterwards')
    check_workers_see('--output', [flags.output])


def check_workers_see(what: str, places: Iterable[str]) -> None:
    """Checks that places do not lie on this machine.

    Raises:
        UsageError: one does.
    """
    for place in places:
        if place and storage.is_local(place):
            raise UsageError(f'{what} {place} lies on this machine, where no Dataflow worker sees it: give {_STORE}'
                             + (', or hf://datasets/NAMESPACE/NAME' if what != '--output' else ''))


def check_roots(roots: Iterable[str]) -> None:
    """Checks that nothing that is read lies on this machine.

    Raises:
        UsageError: something does; of the embedded sample it says how to take it along.
    """
    samples = os.path.dirname(beam_pipelines.samples.__file__)
    for root in roots:
        if root.startswith(f'{samples}/'):
            raise UsageError('nothing to read is given, and the embedded sample lies on this machine, where no Dataflow worker sees it: '
                             f'`gcloud storage cp -r {root} gs://BUCKET/samples`, and name gs://BUCKET/samples/{os.path.basename(root)} '
                             'in --input, or in the YAML of --config where a pipeline reads that')
        check_workers_see('what is read from', [root])


def check_services(options: PipelineOptions, places: Iterable[str], note_unknown: Callable[[str], None] | None) -> None:
    """Asks the buckets and the Dataflow API whether they would have us; takes seconds.

    Args:
        options: Beam's.
        places: gs:// paths.
        note_unknown: takes a line for what could not be learnt, as with --dry_run; None makes it an error.

    Raises:
        UsageError: no such bucket, project or region, no right, or (without `note_unknown`) no credentials and no answer.
    """
    try:
        for place in places:
            check_reachable(place, options.view_as(GoogleCloudOptions).no_auth)
        DataflowApi(options).check()
    except (NotKnown, Unreachable) as error:
        line = str(error) if isinstance(error, NotKnown) else f'the Dataflow API cannot be reached ({error}): check the network'
        if note_unknown is None:
            raise UsageError(line) from None
        note_unknown(f'not checked: {line}')
    except storage.RunAborted as error:
        raise UsageError(str(error)) from None
    except Refused as error:
        cloud = options.view_as(GoogleCloudOptions)
        raise UsageError(f'Dataflow refuses --project={cloud.project} in --region={cloud.region}: {error}') from None
