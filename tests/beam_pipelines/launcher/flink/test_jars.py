import zipfile

import apache_beam
import pytest

from beam_pipelines.launcher.flink import jars
from beam_pipelines.launcher.flink.jars import JobServerJar, built_jars, choose_jar, find_jar, read_jar
from beam_pipelines.launcher.spec import UsageError


def make_jar(path, beam='2.62.0', flink='1.19.0', runner=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as jar:
        jar.writestr('org/apache/beam/sdk/sdk.properties', f'# a comment\nversion={beam}\n')
        jar.writestr('.flink-runtime.version.properties', f'project.version={flink}\nscala.binary.version=2.12\n')
        if runner:
            jar.writestr('org/apache/beam/runners/flink/FlinkPipelineRunner.class', b'')
    return path


def test_the_versions_in_a_jar(tmp_path):
    path = make_jar(tmp_path / 'a.jar')
    assert read_jar(path) == JobServerJar(str(path), '2.62.0', '1.19')
    assert str(read_jar(path)) == f'Flink 1.19, Beam 2.62.0 ({path})'


@pytest.mark.parametrize('kind', ['missing', 'text', 'other jar', 'no versions'])
def test_what_is_no_job_server(tmp_path, kind):
    path = tmp_path / 'a.jar'
    if kind == 'text':
        path.write_text('hello')
    elif kind == 'other jar':
        make_jar(path, runner=False)
    elif kind == 'no versions':
        with zipfile.ZipFile(path, 'w') as jar:
            jar.writestr('org/apache/beam/sdk/sdk.properties', 'name=x\n')
    with pytest.raises(UsageError, match='make flink-job-server'):
        read_jar(path)


def test_the_best_jar_is_the_sdks_own_beam_then_the_newest():
    own = JobServerJar('own', apache_beam.__version__, '1.20')
    old, new = JobServerJar('old', '2.9.0', '1.19'), JobServerJar('new', '2.62.0', '1.19')
    assert choose_jar([old, own, new], '') == own
    assert choose_jar([old, own, new], '1.19') == new
    assert choose_jar([old, new], '2.2') is None


def test_jars_are_found_where_they_are_built_and_broken_ones_left_out(tmp_path, monkeypatch):
    place = tmp_path / 'build'
    make_jar(place / 'beam-runners-flink-1.19-job-server-2.62.0.jar')
    (place / 'beam-runners-flink-2.2-job-server-2.77.0.jar').write_bytes(b'half a download')
    make_jar(place / 'unrelated.jar')
    assert [jar.flink for jar in built_jars([place, tmp_path / 'none'])] == ['1.19']
    monkeypatch.setattr(jars, 'built_jars', lambda: built_jars([place]))
    assert find_jar('', '', '2.2', print).beam == '2.62.0'


def test_an_explicit_jar_counts_by_its_own_flink(tmp_path):
    path = str(make_jar(tmp_path / 'a.jar', flink='1.20.1'))
    assert find_jar(path, '', '2.2', print).flink == '1.20'
    with pytest.raises(UsageError, match=r'is for Flink 1\.20, but Flink 1\.19 is wanted.*FLINK_VERSION=1\.19'):
        find_jar(path, '1.19', '2.2', print)


def test_no_jar_and_no_network_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, 'built_jars', lambda: [JobServerJar('x', '2.62.0', '1.19')])
    monkeypatch.setattr('apache_beam.runners.portability.job_server.JavaJarJobServer.path_to_beam_jar',
                        staticmethod(lambda target: 'http://127.0.0.1:9/beam.jar'))
    with pytest.raises(UsageError) as told:
        find_jar('', '2.2', '2.2', print)
    assert str(told.value).startswith('there is no job server for Flink 2.2 here (there is Flink 1.19)')
    assert 'make flink-job-server' in str(told.value)
    assert '\n' not in str(told.value)


def test_a_job_server_is_fetched_where_the_network_is_open(tmp_path, monkeypatch):
    """Beam's own way, from a server on loopback."""
    import functools
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    make_jar(tmp_path / 'www' / 'beam-runners-flink-2.2-job-server-2.77.0.jar', '2.77.0', '2.2.0')
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / 'www'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/beam-runners-flink-2.2-job-server-2.77.0.jar'
        monkeypatch.setattr('apache_beam.runners.portability.job_server.JavaJarJobServer.path_to_beam_jar',
                            staticmethod(lambda target: url))
        monkeypatch.setattr('apache_beam.utils.subprocess_server.JavaJarServer.JAR_CACHE', str(tmp_path / 'cache'))
        monkeypatch.setattr(jars, 'built_jars', lambda: [])
        said = []
        assert find_jar('', '', '2.2', said.append).flink == '2.2'
        server.shutdown()
    assert said and 'fetching' in said[0]
