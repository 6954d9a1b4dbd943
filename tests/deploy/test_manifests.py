"""The manifests against the schemas of Kubernetes and of the Flink operator, strictly: an unknown field is an error."""

import configparser
import shlex
import zipfile
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from beam_pipelines import olmocr
from beam_pipelines.launcher.arguments import parse
from tests.helpers import ROOT

KUBERNETES = ROOT / 'deploy' / 'flink' / 'kubernetes'
STANDALONE = ROOT / 'deploy' / 'flink' / 'standalone'
SCHEMAS = sorted((ROOT / 'build' / 'flink' / 'schemas').glob('*.jar'))
DOCUMENTS = [pytest.param(document, id=f'{path.name}-{i}') for path in sorted(KUBERNETES.glob('*.yaml'))
             for i, document in enumerate(yaml.safe_load_all(path.read_text()))]


def strict(schema: object) -> object:
    """The schema with every object closed, as the API server prunes what it does not know."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if 'properties' in closed and not closed.get('x-kubernetes-preserve-unknown-fields'):
        closed.setdefault('additionalProperties', False)
    return closed


def operator_schema(kind: str) -> dict:
    if not SCHEMAS:
        pytest.skip("the operator's schemas are not here: `make flink-schemas` fetches them")
    with zipfile.ZipFile(SCHEMAS[-1]) as jar:
        name = f'META-INF/fabric8/{kind.lower()}s.flink.apache.org-v1.yml'
        schema = yaml.safe_load(jar.read(name))['spec']['versions'][0]['schema']['openAPIV3Schema']
    schema['properties'].update(apiVersion={'type': 'string'}, kind={'type': 'string'}, metadata={'type': 'object'})
    return strict(schema)


def check(document: dict) -> None:
    if document['apiVersion'].startswith('flink.apache.org/'):
        jsonschema.validate(document, operator_schema(document['kind']))
    else:
        kubernetes_validate.validate(document, '1.30', strict=True)


@pytest.mark.parametrize('document', DOCUMENTS)
def test_it_fits_its_schema(document):
    check(document)


@pytest.mark.parametrize('document', DOCUMENTS)
def test_the_check_can_fail(document):
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check({**document, 'spec' if 'spec' in document else 'type': {'replicaz': 1}})


def documents(kind: str) -> list[dict]:
    return [param.values[0] for param in DOCUMENTS if param.values[0]['kind'] == kind]


def test_the_launchers_command_line_parses():
    (job,) = documents('Job')
    container = job['spec']['template']['spec']['containers'][0]
    arguments = parse(olmocr.SPEC, container['args'])
    (session,) = [d for d in documents('FlinkDeployment') if 'job' not in d['spec']]
    assert f"--flink_master={session['metadata']['name']}-rest:8081" in arguments.beam
    assert container['command'] == ['python', '-m', 'beam_pipelines.olmocr']


@pytest.mark.parametrize('deployment', documents('FlinkDeployment'), ids=lambda d: d['metadata']['name'])
def test_every_task_manager_has_its_pool_and_the_shared_folder(deployment):
    spec = deployment['spec']
    assert spec['flinkVersion'][1:].replace('_', '.') in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    containers = {c['name']: c for c in spec['taskManager']['podTemplate']['spec']['containers']}
    pool = containers['worker-pool']
    assert pool['command'][-1] == '--service_port=50000'
    assert {m['mountPath'] for m in pool['volumeMounts']} == {'/data'}
    assert [e['name'] for e in pool['env']] == ['HF_TOKEN']
    for name in ('restart-strategy.type', 'taskmanager.memory.task.off-heap.size'):
        assert name in spec['flinkConfiguration']


def test_the_standalone_layout_is_what_the_local_cluster_runs():
    plain = yaml.safe_load((STANDALONE / 'config.yaml').read_text())
    script = (ROOT / 'deploy' / 'flink' / 'local_cluster.sh').read_text()
    for name in plain:
        assert f'{name}:' in script or 'bind-host' in name, name


@pytest.mark.parametrize('unit', sorted(STANDALONE.glob('*.service')), ids=lambda p: p.name)
def test_units_are_well_formed(unit: Path):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    assert set(parser.sections()) == {'Unit', 'Service', 'Install'}
    assert shlex.split(parser['Service']['ExecStart'])[0].startswith('/opt/')
