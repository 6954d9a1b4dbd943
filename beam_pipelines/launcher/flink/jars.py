"""The job server jar: which there are, which Beam and Flink each holds, and which fits."""

from __future__ import annotations

import re
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import apache_beam

from beam_pipelines.launcher.spec import UsageError

_HOME = Path(__file__).resolve().parents[3]
PLACES = (_HOME / 'build' / 'flink', Path('~/.apache_beam/cache/jars').expanduser())
_HELP = '`make flink-job-server` builds one, --flink_job_server_jar=PATH names one'
_PROBE_SECONDS = 10


@dataclass(frozen=True)
class JobServerJar:
    """A job server jar and the versions in it; `flink` is a minor version such as '1.19'."""

    path: str
    beam: str
    flink: str

    def __str__(self) -> str:
        return f'Flink {self.flink}, Beam {self.beam} ({self.path})'


def read_jar(path: str | Path) -> JobServerJar:
    """The versions that a jar holds.

    Raises:
        UsageError: no such file, or not a Flink job server of Beam's.
    """
    try:
        with zipfile.ZipFile(path) as jar:
            beam = _property(jar, 'org/apache/beam/sdk/sdk.properties', 'version')
            flink = _property(jar, '.flink-runtime.version.properties', 'project.version')
            jar.getinfo('org/apache/beam/runners/flink/FlinkPipelineRunner.class')
    except FileNotFoundError:
        raise UsageError(f'--flink_job_server_jar {path} does not exist; {_HELP}') from None
    except (OSError, KeyError, zipfile.BadZipFile):
        raise UsageError(f'--flink_job_server_jar {path} is no Flink job server of Beam; {_HELP}') from None
    return JobServerJar(str(path), beam, '.'.join(flink.split('.')[:2]))


def _property(jar: zipfile.ZipFile, member: str, name: str) -> str:
    for line in jar.read(member).decode().splitlines():
        key, equals, value = line.partition('=')
        if equals and key.strip() == name:
            return value.strip()
    raise KeyError(name)


def built_jars(places: Iterable[Path] = PLACES) -> list[JobServerJar]:
    """The job server jars that were built or fetched before."""
    jars = []
    for place in places:
        for path in sorted(place.glob('*flink*job-server*.jar')):
            try:
                jars.append(read_jar(path))
            except UsageError:
                continue  # half downloaded, or somebody else's
    return jars


def choose_jar(jars: Iterable[JobServerJar], flink: str) -> JobServerJar | None:
    """The best for Flink version `flink` ('' for any): this SDK's own Beam first, then the newest."""
    fitting = [jar for jar in jars if flink in ('', jar.flink)]
    return max(fitting, default=None, key=lambda jar: (jar.beam == apache_beam.__version__, _numbers(jar.beam),
                                                       _numbers(jar.flink)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r'\d+', version)))


def find_jar(explicit: str, flink: str, default: str, print_line: Callable[[str], None]) -> JobServerJar:
    """The jar to use.

    Args:
        explicit: the path that the command line names, '' for none.
        flink: minor version that it must be for, '' for any.
        default: version to fetch when none is here and any will do.
        print_line: tells people of a download.

    Raises:
        UsageError: there is none, or it is for another Flink.
    """
    if explicit:
        jar = read_jar(explicit)
        if flink not in ('', jar.flink):
            raise UsageError(f'{explicit} is for Flink {jar.flink}, but Flink {flink} is wanted: '
                             f'`make flink-job-server FLINK_VERSION={flink}` builds the one that fits')
        return jar
    jars = built_jars()
    return choose_jar(jars, flink) or _fetch(flink or default, jars, print_line)


def _fetch(flink: str, there: list[JobServerJar], print_line: Callable[[str], None]) -> JobServerJar:
    from apache_beam.runners.portability.job_server import JavaJarJobServer

    try:
        place = JavaJarJobServer.path_to_beam_jar(f':runners:flink:{flink}:job-server:shadowJar')
        if '://' in place:
            request = urllib.request.Request(place, method='HEAD')
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS) as answer:
                size = int(answer.headers.get('Content-Length') or 0)
            print_line(f"fetching Beam's job server for Flink {flink}, once ({size >> 20} MiB) ...")
        return read_jar(JavaJarJobServer.local_jar(place))
    except (OSError, RuntimeError, ValueError) as error:
        others = f' (there is {", ".join(f"Flink {jar.flink}" for jar in there)})' if there else ''
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UsageError(f"there is no job server for Flink {flink} here{others}, and Beam's own could not be fetched "
                         f'({reason}); {_HELP}') from None
