"""publish(): a folder to a dataset repository in one commit, complete or not at all."""

from __future__ import annotations

import os

from transforms.hub.errors import HubDenied, HubFault
from transforms.hub.library import translate_hub_errors
from transforms.hub.path import HubPath
from transforms.hub.settings import current, endpoint
from transforms.hub.staging import staged_folder
from transforms.hub.transport import check_environment, read_token, with_retries

_SKIPPED = ('.work/**', '.work')


def publish(folder: str, target: HubPath, message: str) -> str:
    """Uploads what lies in a local folder as one commit; returns the commit's address.

    Contents go to the Hub's storage first, where unchanged ones are found to be there already, so a publication that
    was cut off goes on where it stopped. The repository is made, private, when there is none.

    Args:
        folder: local folder.
        target: repository, branch and folder within it.
        message: of the commit.

    Raises:
        HubDenied: no token, or no right to write.
        HubFault: the Hub cannot take it.
    """
    if not read_token():
        raise HubDenied(f'{target} cannot be written: no token is set. Set HF_TOKEN, or log in with `hf auth login`')
    return with_retries(f'publishing {target}', lambda: _upload(folder, target, message), current().patience_seconds)


def check_writer(target: HubPath) -> None:
    """Checks before a long run that publishing can work.

    Raises:
        HubDenied: no token, or one that the Hub does not know.
        HubFault: the address lacks a namespace.
        HubDown: no answer.
    """
    from huggingface_hub import HfApi

    if '/' not in target.repo:
        raise HubFault(f'{target} names no place to write to: it must look like hf://datasets/NAMESPACE/NAME')
    check_environment()
    if not read_token():
        raise HubDenied(f'{target} needs a token that may write: set HF_TOKEN, or log in with `hf auth login`')

    def ask() -> None:
        with translate_hub_errors(f'{target} cannot be written: the Hub does not know the token', f'{target} cannot be written'):
            HfApi(endpoint=endpoint(), library_name='beam-training-data').whoami(token=read_token())

    with_retries(str(target), ask, min(30.0, current().patience_seconds))


def publish_staged(url: str, message: str) -> str:
    """Makes one commit of all that Beam's writers left at an hf:// address, and removes it from the local disk."""
    import shutil

    target = HubPath.parse(url)
    folder = staged_folder(target)
    commit = publish(folder, target.within(''), message)
    shutil.rmtree(folder, ignore_errors=True)
    return commit


def _upload(folder: str, target: HubPath, message: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    class Uploader(HfApi):
        """Uploads without asking the Hub whether the README.md is valid: it is ours, and a Hub of one's own may not have that call."""

        def _validate_yaml(self, *_: object, **__: object) -> None:
            pass

    disable_progress_bars()
    if not os.path.isdir(folder):
        raise HubFault(f'nothing waits to be published as {target}')
    api = Uploader(endpoint=endpoint(), token=read_token(), library_name='beam-training-data')
    with translate_hub_errors(f'{target} cannot be written: the token has no right to write there', f'{target} cannot be written'):
        api.create_repo(target.repo, repo_type='dataset', private=True, exist_ok=True)
        done = api.upload_folder(repo_id=target.repo, repo_type='dataset', folder_path=folder,
                                 path_in_repo=target.path or None, revision=target.revision or None,
                                 commit_message=message, ignore_patterns=list(_SKIPPED))
    return done.commit_url
