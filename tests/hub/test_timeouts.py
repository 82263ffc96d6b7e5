"""No wait without an end."""

import threading

import huggingface_hub
from hub_testing import NOT_HANGING, REPO, fails, publish

from hairseg.hub.resolve import resolve
from hairseg.hub.timeouts import deadline


def test_the_client_is_left_as_it_was(server, one):
    publish(server, one)
    before = huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity()
    resolve(REPO)
    fails(lambda: resolve("ada/nothing"))
    assert before == (huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity())


def test_threads_take_turns_and_leave_the_client_as_it_was():
    """Guards against the second to begin putting the first one's bounded client back, for good."""
    before, entered, may_leave = huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, [], threading.Event()

    def call():
        with deadline():
            entered.append(threading.current_thread())
            may_leave.wait(NOT_HANGING)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not entered:
        threading.Event().wait(0.01)
    threading.Event().wait(0.1)
    assert len(entered) == 1
    may_leave.set()
    for thread in threads:
        thread.join(NOT_HANGING)
    assert len(entered) == 2 and huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY is before


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
