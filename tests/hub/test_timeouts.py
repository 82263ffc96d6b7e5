"""No wait without an end."""

import threading

import huggingface_hub
from hub_testing import NOT_HANGING, REPO, fails, publish

from hairseg.hub.resolution import resolve


def test_the_client_is_left_as_it_was(server, one):
    publish(server, one)
    before = huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity()
    resolve(REPO)
    fails(lambda: resolve("ada/nothing"))
    assert before == (huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity())


def test_hub_killed_in_the_middle_of_a_pull(server, one):
    publish(server, one)
    server.faults.add("stall", path="signature", at=1_000_000)  # with all the time of the world until it is killed
    failure = []
    pulling = threading.Thread(target=lambda: failure.append(fails(lambda: resolve(REPO), REPO)))
    pulling.start()
    while pulling.is_alive() and not any("signature" in request for request in server.requests):
        threading.Event().wait(0.02)
    server.__exit__()
    pulling.join(NOT_HANGING)
    assert len(failure) == 1
    server.faults.clear()
    with server:
        assert resolve(REPO).reason is None
