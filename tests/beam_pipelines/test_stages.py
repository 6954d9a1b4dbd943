"""What shares a stage: bytes of documents and images must never leave the one in which they are read."""

import apache_beam as beam
import pytest

from beam_pipelines import olmocr, render_pdf
from beam_pipelines.samples import sample_folder
from tests.conftest import make_0225
from tests.stages import Graph, graph_of, settings_of
from transforms import PdfPage, RenderPDF, RenderSettings

GROUP, SHUFFLE = 'beam:transform:group_by_key:v1', 'beam:transform:reshuffle:v1'
# All that a runner itself does in our graphs. What fails on Flink 2 is no part of it: Beam's sharded sinks, stateful
# steps and steps that wait for a side input.
HARMLESS = {GROUP, SHUFFLE, 'beam:transform:impulse:v1', 'beam:transform:flatten:v1'}
DRAWN, KEPT = ('ReadPages/StreamUnits', 'RenderPDF/'), ('ReadPages/StreamUnits', 'KeepAsTheyAre')
LISTED = ('ListPages/CountPages', 'RenderPDF/')


def assert_payloads_stay(build, settings, steps: tuple[str, ...]) -> Graph:
    """No PCollection that carries documents or images enters or leaves a stage."""
    graph = graph_of(build, settings)
    crossing = frozenset().union(*(stage.crossing for stage in graph.stages))
    seen = set()
    for name, main in main_outputs(build, settings).items():
        for step in steps:
            if name.startswith(step):
                seen.add(step)
                assert main not in crossing, f'what {name} makes leaves its stage'
    assert seen == set(steps), f'no step begins with {set(steps) - seen}'
    return graph


def main_outputs(build, settings) -> dict[str, str]:
    """Every step's main output, by the step's name."""
    return {name: output for stage in graph_of(build, settings).stages
            for name, outputs in stage.steps.items() for tag, output in outputs.items() if tag == 'None'}


@pytest.fixture(params=['olmocr', 'olmocr_extract', 'olmocr_original', 'olmocr_convert', 'render_pdf'])
def case(request, tmp_path, dataset):
    """(pipeline module, settings, steps with payloads) of every shape that a pipeline takes."""
    if request.param == 'render_pdf':
        (tmp_path / 'a.pdf').write_bytes(b'%PDF-')
        return render_pdf, settings_of(render_pdf.SPEC, f'--input={tmp_path}'), LISTED
    flags = {'olmocr_extract': ('--stage=extract',), 'olmocr_original': ('--preset=original',)}.get(request.param, ())
    source = sample_folder('olmocr')
    if request.param == 'olmocr_convert':
        source = tmp_path / 'extracted'
        assert olmocr.run([f'--input={dataset}', f'--output={source}', '--stage=extract']).exit_code == 0
        flags = ('--stage=convert',)
    payloads = KEPT if request.param == 'olmocr_extract' else DRAWN
    return olmocr, settings_of(olmocr.SPEC, f'--input={source}', *flags), payloads


def test_no_payload_crosses_a_stage(case):
    module, settings, steps = case
    graph = assert_payloads_stay(module.build, settings, steps)
    drawing = graph.stage_of('WriteImages/')
    reading = 'ListPages/' if module is render_pdf else 'ReadPages/'
    for step in ('CheckInDrawing/', reading, 'ToRecord', 'CollectDrawn/Spill/'):
        assert step in drawing, step


def test_nothing_that_fails_on_flink_2(case):
    module, settings, _ = case
    graph = graph_of(module.build, settings)
    assert {urn for urn, _ in graph.between} <= HARMLESS
    for stage in graph.stages:
        assert (stage.side_inputs, stage.states) == ((), 0), list(stage.steps)


def test_the_shuffles_are_those_we_know(case):
    module, settings, _ = case
    graph = graph_of(module.build, settings)
    shuffles = {name for urn, name in graph.between if urn == SHUFFLE}
    # References to files and to units of rows; the groups hold one key for each file and reason, and the summary.
    assert shuffles - {'Files/MaybeReshuffle/Reshuffle'} == ({'SpreadUnits'} if module is olmocr else set())
    groups = [name for urn, name in graph.between if urn == GROUP]
    assert all('Count/SumByOutcome' in name or 'SumByName' in name or name.startswith('BuildRunSummary/')
               for name in groups), groups


def test_finishing_is_one_stage_behind_one_barrier(case):
    module, settings, _ = case
    last = graph_of(module.build, settings).stage_of('FinishRun/')
    for step in ('BuildRunSummary/Sort', 'CheckInFinishing/', 'WriteRecords/'):
        assert step in last
    assert len(last.crossing) == 1  # what enters; nothing leaves


def test_resource_hints_do_not_cut_the_drawing_stage(case):
    module, settings, steps = case
    from dataclasses import replace

    hinted = replace(settings, worker_hints={'min_ram': '8GB'})
    graph = assert_payloads_stay(module.build, hinted, steps)
    drawing = graph.stage_of('WriteImages/')
    assert 'CheckInDrawing/' in drawing
    assert drawing.hints == {'beam:resources:min_ram_bytes:v1': b'8000000000'}
    last = graph.stage_of('FinishRun/')
    assert 'CheckInFinishing/' in last
    assert last.hints == {}


def test_mix_0225_waits_for_its_index_in_the_one_way_that_works_on_flink_2(tmp_path, page_pdf):
    source = make_0225(tmp_path / 'in', page_pdf)
    graph = graph_of(olmocr.build, settings_of(olmocr.SPEC, f'--input={source}'))
    waiting = {side for stage in graph.stages for side in stage.side_inputs}
    assert all('WaitOn' in side or 'AfterIndex' in side for side in waiting)
    assert waiting


def test_a_shuffle_between_reading_and_writing_is_found():
    def build(pipeline, settings):
        pages = pipeline | beam.Create([PdfPage('f', 0, 'a', b'x')]) | 'ReadPages' >> beam.Map(lambda page: page)
        images = pages | 'RenderPDF' >> RenderPDF(RenderSettings()) | beam.Reshuffle()
        images | 'WriteImages' >> beam.Map(lambda image: image)

    with pytest.raises(AssertionError, match='leaves its stage'):
        assert_payloads_stay(build, None, ('RenderPDF/',))
