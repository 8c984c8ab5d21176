"""Knowing within seconds that a server will not answer, where its client library would wait for minutes."""

import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
TRUE = ("1", "true", "yes", "on")


def offline_mode(offline: bool | None = None) -> bool:
    """Whether the network is off limits: `offline` if given, otherwise the environment's ``KERASFT_OFFLINE``.

    With ``KERASFT_OFFLINE`` set, ``HF_HUB_OFFLINE`` is set too, so that other libraries in this process keep
    to it. (Kaggle's library has no such switch; kerasft does not call it when offline.)
    """
    from_environment = os.environ.get("KERASFT_OFFLINE", "").strip().lower() in TRUE
    if from_environment and not os.environ.get("HF_HUB_OFFLINE"):
        os.environ["HF_HUB_OFFLINE"] = "1"
    return from_environment if offline is None else offline


def hub_timeout() -> float:
    """Seconds a hub has for its first answer: ``HF_HUB_ETAG_TIMEOUT``, Hugging Face's own setting, or 5."""
    try:
        return float(os.environ["HF_HUB_ETAG_TIMEOUT"])
    except (KeyError, ValueError):
        return 5.0


def within(seconds: float, call: Callable[[], T]) -> T:
    """`call()`, or TimeoutError if it has not returned in time.

    It runs in a thread that is left behind, because a name look-up (getaddrinfo) obeys no timeout: when
    packets to the name server are dropped, it takes half a minute.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return outcome[0]


def connection_problem(url: str, seconds: float) -> str:
    """Why no TCP connection to the server of `url`, or to its proxy, opens in time; empty when one does."""
    from urllib.request import getproxies, proxy_bypass

    address = urlsplit(url)
    host = address.hostname or ""
    proxy = getproxies().get(address.scheme)
    if proxy and not proxy_bypass(host):
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host = address.hostname or ""
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        within(seconds, lambda: socket.create_connection((host, port), timeout=seconds).close())
    except OSError as error:
        return f"{host} cannot be reached: {error.strerror or error}"
    return ""
