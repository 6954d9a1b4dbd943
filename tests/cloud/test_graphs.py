"""`make dataflow-check`: the graph of every pipeline as the DataflowRunner makes it."""

import base64
import bz2
import io
import pickletools
from dataclasses import replace

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
    for name, text in texts_of(proto):
        assert text != '__main__', f'{name} takes a function from the launcher'
        is_code = text.endswith('.py') or text.startswith('<')
        assert is_code or not text.startswith(str(ROOT)) or any(text.startswith(root) for root in roots), f'{name} names {text}'


def texts_of(proto):
    """Every text in the functions that travel with a pipeline, with the name of its step."""
    for step in proto.components.transforms.values():
        if step.spec.urn != common_urns.primitives.PAR_DO.urn:
            continue
        payload = beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload).do_fn.payload
        code = bz2.decompress(base64.b64decode(payload))  # as Beam packs its pickles
        yield from ((step.unique_name, text) for _, text, _ in pickletools.genops(io.BytesIO(code)) if isinstance(text, str))


def test_a_step_that_depends_on_the_launcher_is_found():
    def build(pipeline, settings):
        home = f'{ROOT}/output'
        pipeline | beam.Create([1]) | 'Elsewhere' >> beam.Map(lambda number: (number, home))

    proto, _ = submitted(build, None)
    assert ('Elsewhere', f'{ROOT}/output') in set(texts_of(proto))


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
