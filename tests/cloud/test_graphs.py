"""`make dataflow-check`: the graph of every pipeline as the DataflowRunner makes it."""

import base64
import bz2
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from beam_pipelines import olmocr
from beam_pipelines.launcher.graph import fuse, leaks, payload_steps
from tests.beam_pipelines.test_stages import (  # noqa: F401 - `case` is a fixture
    HINTS,
    SAMPLED,
    TWO_PASSES,
    case,
)
from tests.helpers import ROOT
from tests.stages import settings_of
from transforms import PdfPage, RenderPDF, RenderSettings

IMAGE = 'example/image:1'
OPTIONS = ('--runner=DataflowRunner', '--dry_run=True', '--project=my-project', '--region=europe-west4', '--temp_location=gs://my-bucket/t',
           '--job_name=x', f'--sdk_container_image={IMAGE}', '--no_save_main_session')


def submitted(build, settings):
    """(the proto that the runner would send, the pipeline)."""
    runner = DataflowRunner()
    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(list(OPTIONS)))
    build(pipeline, settings)
    pipeline.run()
    return runner.proto_pipeline, pipeline


def check(build, settings):
    """The graph; fails where payloads leave their stage."""
    proto, pipeline = submitted(build, settings)
    graph = fuse(proto)
    assert leaks(graph, payload_steps(pipeline)) == [], 'it leaves its stage'
    return graph


def with_hints(settings):
    return replace(settings, run=replace(settings.run, worker_hints={'min_ram': '8GB'}))


def test_payloads_stay_and_hints_are_on_composites(case):  # noqa: F811
    spec, settings, shape = case
    graph = check(spec.build, with_hints(settings))
    hinted = [stage.hints for stage in graph.stages if stage.hints]
    passes = 3 if shape == SAMPLED else 2 if spec.name in TWO_PASSES else 1
    assert hinted == [HINTS] * passes, 'the steps that carry payloads are one stage for each pass'
    assert {stage.environment for stage in graph.stages} == {IMAGE}


def test_no_step_depends_on_the_launcher(case):  # noqa: F811
    """No function of `__main__`, and no path of this machine but what settings name: /o, and the input."""
    spec, settings, _ = case
    proto, _ = submitted(spec.build, settings)
    roots = [source.root for source in settings.run.sources]
    assert not list(launchers_places(proto, roots))


def launchers_places(proto, roots=()):
    """(step, place) of each folder of this machine, or `__main__`, in what travels with a pipeline, but where it begins as one of `roots`.

    Names of code files stand in functions that are pickled by value, of Beam's own; they are never opened.
    """
    places = {str(ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix}
    pattern = re.compile('|'.join(re.escape(place) + r'(?=[/\\W])[^\0"\'\s]*' for place in sorted(places)))
    for step in proto.components.transforms.values():
        for code in code_of(step):
            if re.search(rb'c__main__\n|\x8c\x08__main__', code):
                yield step.unique_name, '__main__'
            if b'PosixPath' in code:  # whose parts are pickled one by one
                yield step.unique_name, 'a path of some machine'
            for found in pattern.findall(code.decode('latin-1')):
                if not any(found.startswith(root) for root in roots) and not re.match(r'[^\x00-\x1f\x7f-\xff]*\.py(?![\w.])', found):
                    yield step.unique_name, found


def code_of(step):
    """What is pickled in a step, unpacked where Beam has packed it."""
    spec = step.spec
    if spec.urn == common_urns.primitives.PAR_DO.urn:
        yield from unpacked(beam_runner_api_pb2.ParDoPayload.FromString(spec.payload).do_fn.payload)
    elif spec.payload:
        yield from unpacked(spec.payload)


def unpacked(payload):
    """The bytes as they are, and what is in them packed by base64 and bz2, as Beam packs its pickles."""
    yield payload
    for packed in re.findall(rb'QlpoO[A-Za-z0-9+/=]{40,}', payload):
        yield bz2.decompress(base64.b64decode(packed))


@pytest.mark.parametrize('place', [f'{ROOT}/output', Path(ROOT) / 'output', f'{ROOT}/x.pyc', f'file://{ROOT}/o', f'{Path.home()}/key',
                                   f'{tempfile.gettempdir()}/x', f'{ROOT}/output'.encode()])
@pytest.mark.parametrize('how', ['closure', 'element', 'combiner'])
def test_a_step_that_depends_on_the_launcher_is_found(place, how):
    def build(pipeline, settings):
        if how == 'element':
            pipeline | 'Elsewhere' >> beam.Create([place], reshuffle=False)
        elif how == 'closure':
            pipeline | beam.Create([1]) | 'Elsewhere' >> beam.Map(lambda number: (number, place))
        else:
            pipeline | beam.Create([1]) | 'Elsewhere' >> beam.CombineGlobally(lambda numbers: place)

    proto, _ = submitted(build, None)
    assert any(name.startswith('Elsewhere') for name, _ in launchers_places(proto))


def test_a_hint_on_one_step_is_found():
    def build(pipeline, settings):
        pages = pipeline | beam.Create([PdfPage(0, 'f', 0, 'a', b'x')]) | 'ReadPages' >> beam.Map(lambda page: page).with_output_types(PdfPage)
        images = pages | 'RenderPDF' >> RenderPDF(RenderSettings()).with_resource_hints(min_ram='8GB')
        images | 'WriteImages' >> beam.Map(lambda image: image)

    with pytest.raises(AssertionError, match='leaves its stage'):
        check(build, None)


def test_a_payload_behind_a_shuffle_is_found():
    def build(pipeline, settings):
        olmocr.SPEC.build(pipeline, settings)
        pages = pipeline | beam.Create([PdfPage(0, 'f', 0, 'a', b'x')]) | 'ReadPages' >> beam.Map(lambda page: page)
        images = pages | 'RenderAgain' >> RenderPDF(RenderSettings()) | beam.Reshuffle()
        images | 'WriteAgain' >> beam.Map(lambda image: image)

    with pytest.raises(AssertionError, match='leaves its stage'):
        check(build, settings_of(olmocr.SPEC))
