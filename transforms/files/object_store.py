"""Whether a place in an object store can be reached: asked once, in seconds, before Beam's clients would try for minutes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from transforms.files.abort import RunAborted

_CONNECT_SECONDS, _READ_SECONDS, _SECONDS = 3.0, 8.0, 15.0
_checked: set[str] = set()


class NotKnown(RunAborted):
    """Whether the place can be reached could not be learnt: no credentials, or no answer."""


def check_reachable(path: str, anonymous: bool = False) -> None:
    """Asks for one object of the bucket of a gs:// or s3:// path; other paths pass. A bucket is asked once in a process.

    Args:
        path: of a file or folder.
        anonymous: whether Google is asked without credentials where there are none.

    Raises:
        NotKnown: there are no credentials, or nobody answers.
        RunAborted: no such bucket, no right to list it, or the client's package is not installed; the message says what to do.
    """
    scheme, _, rest = path.partition('://')
    bucket = rest.partition('/')[0]
    ask = {'gs': _ask_google, 's3': _ask_s3}.get(scheme)
    home = f'{scheme}://{bucket}'
    if ask is None or home in _checked:
        return
    if not bucket:
        raise RunAborted(f'{path} names no bucket: it must look like {scheme}://BUCKET/FOLDER')
    _within_seconds(lambda: ask(bucket, home, anonymous), home)
    _checked.add(home)


def _within_seconds(ask: Callable[[], None], home: str) -> None:
    """Runs a question in a thread, since credentials may come from a place that never answers."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            ask()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if thread.is_alive():
        raise NotKnown(f'{home} has not answered in {_SECONDS:.0f} s: check the network, and what credentials come from')
    if raised:
        raise raised[0]


def google_credentials(anonymous: bool = False) -> object | None:
    """Google's default credentials; None where there are none and none are needed: with `anonymous`, or for an emulator.

    Raises:
        NotKnown: there are none; the message says how to get some.
    """
    os.environ.setdefault('GCE_METADATA_TIMEOUT', '1')  # seconds that each look for a machine's own credentials may take
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        return google.auth.default(scopes=['https://www.googleapis.com/auth/cloud-platform'])[0]
    except (GoogleAuthError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # a key may be any file
        if anonymous or os.environ.get('STORAGE_EMULATOR_HOST'):
            from apache_beam.internal.gcp import auth

            auth._Credentials._credentials_init = True  # else Beam looks for them five times, which takes 22 s, and finds none either
            return None
        given = os.environ.get('GOOGLE_APPLICATION_CREDENTIALS')
        if given:
            raise NotKnown(f'GOOGLE_APPLICATION_CREDENTIALS={given} gives no credentials: {_first_line(error)}'
                           + ('' if isinstance(error, GoogleAuthError) else ' (is it the JSON key of a service account?)')) from None
        raise NotKnown('there are no Google credentials: run `gcloud auth application-default login`, or name the key of a '
                       'service account in GOOGLE_APPLICATION_CREDENTIALS') from None


def _ask_google(bucket: str, home: str, anonymous: bool) -> None:
    try:
        from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, Unauthorized
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError:
        raise RunAborted(f"{home} needs the extra gcp: pip install 'beam-training-data[gcp]'") from None
    import requests

    client = storage.Client(project='none', credentials=google_credentials(anonymous) or AnonymousCredentials())
    try:
        next(iter(client.list_blobs(bucket, max_results=1, timeout=(_CONNECT_SECONDS, _READ_SECONDS), retry=None)), None)
    except NotFound:
        raise RunAborted(f'there is no bucket {home}: check its name') from None
    except (Forbidden, Unauthorized) as error:
        raise RunAborted(f'the credentials have no right to list {home} ({_first_line(error)}): storage.objects.list is needed') from None
    except GoogleAuthError as error:
        raise NotKnown(f'the Google credentials are not accepted ({_first_line(error)}): log in again, or check the key') from None
    except GoogleAPICallError as error:
        raise NotKnown(f'{home} answers with an error ({error.code}): try again later') from None
    except requests.RequestException as error:
        raise NotKnown(f'{home} cannot be reached ({_reason(error)}): check the network') from None
    except Exception as error:  # whatever Google's client makes of an answer that is none
        raise NotKnown(f'{home}, or what gives out tokens, answers what is no answer ({type(error).__name__}: {_first_line(error)}): is a proxy in '
                       'between?') from None


def _ask_s3(bucket: str, home: str, _: bool) -> None:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
    except ImportError:
        raise RunAborted(f"{home} needs the extra aws: pip install 'beam-training-data[aws]'") from None
    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={'max_attempts': 1})
    try:
        boto3.client('s3', config=config).list_objects_v2(Bucket=bucket, MaxKeys=1)
    except NoCredentialsError:
        raise NotKnown('there are no AWS credentials: run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY') from None
    except ClientError as error:
        if error.response.get('Error', {}).get('Code') in ('NoSuchBucket', '404'):
            raise RunAborted(f'there is no bucket {home}: check its name') from None
        raise RunAborted(f'{home} cannot be listed ({_first_line(error)}): check the credentials and their rights') from None
    except BotoCoreError as error:
        raise NotKnown(f'{home} cannot be reached ({_reason(error)}): check the network and the region') from None


def _first_line(error: object) -> str:
    if isinstance(error, Exception) and len(error.args) > 1 and isinstance(error.args[0], str):
        error = error.args[0]  # of Google's errors of credentials, whose text is else that of a tuple
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _reason(error: Exception) -> str:
    text = str(error)
    for phrase in ('Connection refused', 'Name or service not known', 'Failed to resolve', 'timed out', 'No route to host',
                   'Could not connect', 'Temporary failure in name resolution'):
        if phrase in text:
            return phrase.lower()
    return _first_line(error)
