"""Flex templates: their metadata is current, and every option can be used from one."""

import argparse

import pytest

from beam_pipelines.launcher.arguments import own_parser, parse
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.launcher.dataflow.template import metadata, run, to_flags, to_json
from beam_pipelines.launcher.spec import UsageError
from tests.helpers import ROOT

SPECS = find_pipelines()
# A value of each option that takes a text and does not take any.
VALUES = {'input': 'gs://b/in', 'output': 'gs://b/out', 'pages': '1-3', 'worker_ram': '8GB', 'shard_size': '64MB', 'steps': 'fix_unicode', 'image_format': 'webp', 'languages': 'en',
          'max_failure_rate': '0.25', 'dpi': '72', 'password': 'one "two words"', 'prompt': '"Read it." "Read this."', 'eval_share': '0.5'}


@pytest.mark.parametrize('spec', SPECS, ids=lambda spec: spec.name)
def test_the_files_are_current(spec):
    path = ROOT / 'deploy' / 'dataflow' / 'templates' / f'{spec.name}.json'
    assert path.read_bytes() == to_json(spec), 'make templates'


@pytest.mark.parametrize('spec', SPECS, ids=lambda spec: spec.name)
def test_every_option_can_be_used(spec):
    names = {parameter['name'] for parameter in metadata(spec)['parameters']}
    declared = {name[2:]: action for action in own_parser(spec)._actions for name in action.option_strings if name.startswith('--')}
    assert names == {*declared, 'pipeline', 'sdk_container_image'} - {'help', 'parallelism'}
    plain = vars(parse(spec, ['--output=gs://b/out']).flags)
    for parameter in metadata(spec)['parameters'][2:]:
        name, action = parameter['name'], declared[parameter['name']]
        assert parameter['helpText'] and parameter['isOptional'] is (name != 'output' or spec.name == 'text_mix')
        tried = [str(value) for value in ('true' if parameter['paramType'] == 'BOOLEAN' else None, VALUES.get(name),
                                          *(choice['value'] for choice in parameter.get('enumOptions', ())), 7, 'x') if value is not None]
        for value in tried:
            try:
                flags = vars(parse(spec, to_flags(spec, ['--output=gs://b/out', f'--{name}={value}'] if name != 'output' else ['--output=gs://b/o2'])).flags)
            except UsageError:
                continue
            if flags != plain:
                break
        else:
            raise AssertionError(f'--{name} changes nothing with any of {tried}')
        assert isinstance(action, argparse.Action)


def test_values_as_a_form_gives_them():
    spec = next(spec for spec in SPECS if spec.name == 'render_pdf')
    assert to_flags(spec, ['--overwrite=false', '--force=true', '--input=gs://b/x gs://b/y', '--prompt="Read it." Go', '--pages=', '--job_name=a']) == [
        '--force', '--input', 'gs://b/x', 'gs://b/y', '--prompt=Read it.', '--prompt=Go', '--job_name=a']


def test_a_template_names_its_pipeline(tmp_path, capsys):
    assert run(['--pipeline=nothing']) == 2
    assert "the parameter pipeline is 'nothing': it must be one of convert," in capsys.readouterr().err
    assert run(['--pipeline=olmocr', '--runner=DirectRunner', '--plan=true', f'--output={tmp_path}/out']) == 0


@pytest.mark.parametrize(('given', 'message'), [
    ('--overwrite=maybe', "the parameter overwrite is 'maybe', it must be true or false"), ('--force=yse', 'it must be true or false'),
    ("--input=gs://b/it's.pdf", 'no closing quotation'), ('--password=it\'s', 'no closing quotation')])
def test_values_that_a_form_may_not_give(capsys, given, message):
    assert run(['--pipeline=render_pdf', given, '--output=gs://b/out']) == 2
    said = capsys.readouterr().err
    assert message in said and said.count('\n') == 1
