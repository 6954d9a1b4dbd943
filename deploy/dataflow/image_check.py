"""Runs the Dockerfile's own steps in a clean root, without a container engine, and tries what came out: `make image-check`.

The base image is made by debootstrap, the boot program by Go; Google's template launcher is only in an image of Google's, so that
its COPY is checked as text. Then, in that root: every module is imported, a page is rendered, and Beam's boot program starts workers
for a pipeline of this project. Needs root, debootstrap and Go.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
POOL_PORT = 50000
SHARED = '/tmp/image-check'  # the same path in the root and outside
IMPORT_ALL = '''
import importlib, pkgutil
import beam_pipelines, options, transforms
names = [m.name for p in (beam_pipelines, options, transforms) for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')]
names = [name for name in names if not name.endswith('__main__')]
for name in names:
    importlib.import_module(name)
assert beam_pipelines.__file__.startswith('/opt/venv/'), beam_pipelines.__file__
print(len(names), 'modules imported')
'''


def say(text: str) -> None:
    """Writes a line to stdout."""
    sys.stdout.write(text + '\n')
    sys.stdout.flush()


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """(instruction, rest) of each line; continuation lines joined, comments left out."""
    text = re.sub(r'\\\n', ' ', re.sub(r'(?m)^\s*#.*\n', '', dockerfile))
    for line in text.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(' ')
            yield word.upper(), rest.strip()


def stages(dockerfile: str) -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    """(arguments, steps by stage); the last stage is ''."""
    arguments: dict[str, str] = {}
    found: dict[str, list[tuple[str, str]]] = {}
    name = None
    for word, rest in instructions(dockerfile):
        if word == 'ARG' and name is None:
            key, _, value = rest.partition('=')
            arguments[key] = value
        elif word == 'FROM':
            name = rest.partition(' AS ')[2]
            found[name] = [(word, rest)]
        else:
            found[name].append((word, rest))
    return arguments, found


def filled(text: str, values: dict[str, str]) -> str:
    """A line with its ${ARGUMENTS} replaced."""
    return re.sub(r'\$\{(\w+)\}', lambda match: values.get(match[1], match[0]), text)


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """/proc, /dev and the network's names within the root."""
    places = ['proc', 'dev', 'dev/shm']
    for place in places:
        (root / place).mkdir(parents=True, exist_ok=True)
        subprocess.run(['mount', '--bind', f'/{place}', root / place], check=True)
    for name in ('/etc/resolv.conf', '/etc/hosts'):
        if os.path.exists(name):
            shutil.copyfile(name, str(root) + name)
    try:
        yield
    finally:
        for place in reversed(places):
            subprocess.run(['umount', '-l', root / place], check=False)


class Image:
    """The root that the Dockerfile's last stage makes."""

    def __init__(self, root: Path, work: Path, dockerfile: str) -> None:
        self.root, self.work = root, work
        self.arguments, self.stages = stages(dockerfile)
        self.environment: dict[str, str] = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root',
                                            'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
        self.checked: list[str] = []

    def command(self, line: list[str]) -> list[str]:
        settings = {**{name: value for name, value in os.environ.items() if name.startswith('PIP_')}, **self.environment}
        for name in [name for name, value in settings.items() if name.startswith('PIP_') and os.path.isfile(value)]:
            place = f'/etc/{name.lower()}'  # a file of this machine, as a certificate
            shutil.copyfile(settings[name], f'{self.root}{place}')
            settings[name] = place
        return ['chroot', str(self.root), '/usr/bin/env', '-i', *(f'{name}={value}' for name, value in settings.items()), *line]

    def run(self, *line: str) -> str:
        done = subprocess.run(self.command(list(line)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f'{line[-1]} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}')
        return done.stdout

    def debootstrap(self) -> None:
        """The base image, from the mirror that this machine uses."""
        base = self.stages[''][0][1]
        release = re.match(r'debian:(\w+)-', base)[1]
        sources = ''.join(Path(name).read_text() for name in [*glob.glob('/etc/apt/sources.list'), *glob.glob('/etc/apt/sources.list.d/*')])
        mirror = re.search(r'https?://\S+?/debian/?(?=\s)', sources)
        subprocess.run(['debootstrap', '--variant=minbase', release, self.root, *([mirror[0]] if mirror else [])], check=True,
                       stdout=subprocess.DEVNULL)
        for name in glob.glob('/etc/apt/apt.conf.d/*registry*'):
            shutil.copy(name, f'{self.root}/etc/apt/apt.conf.d/')
        say(f'{base}: made by debootstrap')

    def build(self) -> None:
        for word, rest in self.stages[''][1:]:
            rest = filled(rest, self.arguments)
            if word == 'RUN':
                say(f'RUN {rest[:100]}')
                self.run('/bin/sh', '-ec', rest)
            elif word == 'ENV':
                name, _, value = rest.partition('=')
                self.environment[name] = value
            elif word == 'COPY':
                self._copy(rest)
            elif word == 'ENTRYPOINT':
                self.entrypoint = re.findall(r'"([^"]+)"', rest)
            else:
                raise SystemExit(f'{word} is no instruction that this check knows')

    def _copy(self, rest: str) -> None:
        stage = re.match(r'--from=(\w+) ', rest)
        *sources, target = rest.split()[1 if stage else 0:]
        place = Path(f'{self.root}{target}')
        if stage and stage[1] == 'boot':
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._boot(sources[0]), place)
        elif stage:
            self.checked.append(f'COPY {rest}')
        else:
            for source in sources:
                if (PROJECT / source).is_dir():
                    shutil.copytree(PROJECT / source, place, ignore=shutil.ignore_patterns('__pycache__'), dirs_exist_ok=True)
                else:
                    to = place / source if target.endswith('/') else place
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(PROJECT / source, to)

    def _boot(self, source: str) -> Path:
        """The boot program, built by the steps of its stage."""
        out = self.work / 'boot'
        for word, rest in self.stages['boot'][1:]:
            if word == 'RUN':
                say(f'RUN {filled(rest, self.arguments)}')
                subprocess.run(filled(rest, self.arguments).replace('/out', str(out)), shell=True, check=True, stderr=subprocess.DEVNULL)
        return out / Path(source).name

    def try_it(self) -> None:
        say(self.run('python', '-c', IMPORT_ALL).strip())
        shared = Path(f'{self.root}{SHARED}')
        shared.mkdir(parents=True)
        if os.path.lexists(SHARED):
            os.unlink(SHARED)
        os.symlink(shared, SHARED)
        try:
            self.run('python', '-m', 'beam_pipelines.olmocr', f'--output={SHARED}/alone')
            say(f"{sum(1 for _ in (shared / 'alone' / 'images').rglob('*.png'))} pages rendered in the image")
            shutil.copytree(self.root / 'opt/venv/lib/python3.11/site-packages/beam_pipelines/samples/olmocr', shared / 'in')
            with self._pool():
                flags = ['--runner=PortableRunner', '--job_endpoint=embed', '--environment_type=EXTERNAL',
                         f'--environment_config=localhost:{POOL_PORT}', f'--input={SHARED}/in', f'--output={SHARED}/worker']
                done = subprocess.run(self.command(['python', '-m', 'beam_pipelines.olmocr', *flags]), capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f'the worker that boot started did not do the job:\n{done.stdout[-1000:]}{done.stderr[-2000:]}\n'
                                 f"{(self.work / 'pool.log').read_text()[-2000:]}")
            log = (self.work / 'pool.log').read_text()
            if 'Initializing python harness' not in log and 'Starting worker' not in log:
                raise SystemExit(f'no worker was started by boot:\n{log[-1000:]}')
            say(f"{' '.join(self.entrypoint)} started workers that rendered "
                f"{sum(1 for _ in (shared / 'worker' / 'images').rglob('*.png'))} pages")
        finally:
            os.unlink(SHARED)
        self.run('python', '/template/main.py', '--pipeline=olmocr', '--runner=DirectRunner', '--plan=true', '--output=/tmp/planned')
        say('the template starts its pipeline')

    @contextmanager
    def _pool(self) -> Iterator[None]:
        with open(self.work / 'pool.log', 'wb') as log:
            pool = subprocess.Popen(self.command([*self.entrypoint, '--worker_pool']), stdout=log, stderr=log)
        try:
            for _ in range(300):
                with socket.socket() as one:
                    if one.connect_ex(('localhost', POOL_PORT)) == 0:
                        break
                if pool.poll() is not None:
                    raise SystemExit(f"boot ended at once:\n{(self.work / 'pool.log').read_text()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            pool.kill()
            pool.wait()
            subprocess.run(['pkill', '-f', f'worker_pool_main --service_port={POOL_PORT}'], check=False)


def main() -> int:
    """Makes the root and tries it; returns 0, or 2 where something that it needs is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', default=str(PROJECT / 'build' / 'image'), help='folder for the root; made anew')
    work = Path(parser.parse_args().work)
    missing = [name for name in ('debootstrap', 'go', 'chroot', 'mount') if shutil.which(name) is None]
    if missing or os.geteuid():
        say(f"not checked: {'root is needed' if os.geteuid() else ', '.join(missing) + ' is missing'}")
        return 2
    subprocess.run(['rm', '-rf', '--one-file-system', work], check=True)
    root = work / 'root'
    root.mkdir(parents=True)
    image = Image(root, work, (PROJECT / 'Dockerfile').read_text())
    image.debootstrap()
    with mounted(root):
        image.build()
        image.try_it()
    for line in image.checked:
        say(f'checked as text only: {line}')
    shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
